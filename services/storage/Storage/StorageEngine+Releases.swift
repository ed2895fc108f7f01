import MetadataIndex
import Model
import ObjectLog
import Synchronization

extension StorageEngine {
    /// Chunks of one request: bounded, since each is looked up.
    public static let droppedChunksMax = 10_000

    /// Drops chunks for good on the disks that have or would have them. Completes with how many were here.
    public func dropChunks(_ blob: BlobID, _ chunks: Range<UInt32>, _ completion: @escaping Completion<Int>) {
        guard !chunks.isEmpty, chunks.count <= Self.droppedChunksMax else {
            return completion(.failure(.malformed("1 to \(Self.droppedChunksMax) chunks can be dropped at once")))
        }
        dropChunks(blob, Array(chunks), completion)
    }

    private func dropChunks(_ blob: BlobID, _ chunks: [UInt32], _ completion: @escaping Completion<Int>) {
        let routing = set.routing
        let parts = Dictionary(grouping: chunks) { index in
            routing.disk(ofSlot: slot(of: ChunkName(blob: blob, index: index))).number
        }
        let sum = SummedAnswers(count: parts.count, completion)
        for (number, indexes) in parts {
            switch routing.disk(number)?.replica {
            case .success(let disk)?:
                disk.dropChunks(blob, indexes) { answer in
                    guard case .failure(.moved) = answer else { return sum.add(answer) }
                    let slots = SlotSet(indexes.map { self.slot(of: ChunkName(blob: blob, index: $0)) })
                    self.set.park(slots, version: routing.version) { error in
                        if let error { sum.add(.failure(error)) } else { self.dropChunks(blob, indexes, sum.add) }
                    }
                }
            case .failure(let error)?: sum.add(.failure(error))
            case nil: sum.add(.failure(.unavailable("a disk is gone")))
            }
        }
    }

    // MARK: - Releases

    /// Content that registers have released, the oldest first, of all disks in service. `age`: at least so old.
    public func releases(after: [UInt8], limit: Int, ageMilliseconds: Int64 = 0) throws -> [NodeRelease] {
        let before = ageMilliseconds > 0 ? DiskReplica.wallMilliseconds - ageMilliseconds : .max
        var found: [NodeRelease] = []
        for disk in disks {
            let start = ReleaseID.localCursor(behind: after, on: disk.log.owner.disk)
            found += try disk.releases(after: start, limit: limit, notedBefore: before).map {
                NodeRelease(id: ReleaseID.make($0.id, disk.log.owner.disk), release: $0)
            }
        }
        found.sort { $0.id.lexicographicallyPrecedes($1.id) }
        return Array(found.prefix(limit))
    }

    public var releaseCount: UInt64 { disks.reduce(0) { $0 + $1.index.releaseCount } }

    public func forgetReleases(_ ids: [[UInt8]]) throws {
        for disk in disks {
            let own = ids.compactMap { ReleaseID.local($0, on: disk.log.owner.disk) }
            if !own.isEmpty { try disk.forgetReleases(own) }
        }
    }
}

/// The id of a release outside its disk: the id on the disk, then the disk's.
enum ReleaseID {
    private static let localSize = 16

    static func make(_ local: [UInt8], _ disk: DiskID) -> [UInt8] { local + disk.bytes }

    /// nil: it is another disk's.
    static func local(_ id: [UInt8], on disk: DiskID) -> [UInt8]? {
        id.count == localSize + disk.bytes.count && id.suffix(disk.bytes.count).elementsEqual(disk.bytes)
            ? Array(id.prefix(localSize)) : nil
    }

    /// Behind which id of its own a disk has those that sort behind `id`.
    static func localCursor(behind id: [UInt8], on disk: DiskID) -> [UInt8] {
        guard id.count > localSize else { return id }
        let local = Array(id.prefix(localSize))
        let isSeen = !id.dropFirst(localSize).lexicographicallyPrecedes(disk.bytes)
        return isSeen ? local : predecessor(of: local)
    }

    /// The largest id of the same length that sorts before it; of the first one none, which begins at the start.
    private static func predecessor(of id: [UInt8]) -> [UInt8] {
        var bytes = id
        for place in bytes.indices.reversed() {
            if bytes[place] > 0 {
                bytes[place] -= 1
                return bytes
            }
            bytes[place] = 0xff
        }
        return []
    }
}

/// One answer for several disks: the sum, or the first failure when all have answered.
final class SummedAnswers: Sendable {
    private struct State {
        var left: Int
        var sum = 0
        var failure: StorageError?
    }

    private let state: Mutex<State>
    private let completion: Completion<Int>

    init(count: Int, _ completion: @escaping Completion<Int>) {
        state = Mutex(State(left: count))
        self.completion = completion
    }

    var add: Completion<Int> {
        { answer in
            let result = self.state.withLock { state -> Result<Int, StorageError>? in
                state.left -= 1
                switch answer {
                case .success(let count): state.sum += count
                case .failure(let error): state.failure = state.failure ?? error
                }
                guard state.left == 0 else { return nil }
                return state.failure.map { .failure($0) } ?? .success(state.sum)
            }
            if let result { self.completion(result) }
        }
    }
}
