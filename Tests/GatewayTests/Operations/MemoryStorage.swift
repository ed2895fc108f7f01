import MessageBus
import Model
import NIOCore
import Register
import Synchronization
import Wire

@testable import Gateway
@testable import ObjectAccess

/// The cluster's storage in one dictionary, with the promises of the real one and nothing of its machinery.
final class MemoryStorage: ObjectStorage {
    struct Contents {
        var registers: [Gateway.RegisterName: StoredRegister] = [:]
        var blobs: [BlobID: ByteBuffer] = [:]
        var chunks: [ChunkName: ByteBuffer] = [:]
        var owners: [ChunkName: Gateway.RegisterName] = [:]
        var dropped: Set<ChunkName> = []
        var chunksUnderWay = 0
        var chunksUnderWayMax = 0
        /// Thrown by the next calls.
        var failure: AccessError?
        /// Thrown by changes of registers alone.
        var updateFailure: AccessError?
        /// Called before a chunk is put, without the lock.
        var beforePut: (@Sendable () async -> Void)?
        /// Called before a chunk is read, without the lock.
        var beforeGet: (@Sendable () async -> Void)?
        /// Called after an attempt to write whose commit gets lost; then the change is asked again.
        var beforeRepetition: (@Sendable () -> Void)?
        /// Called before chunks are dropped, without the lock.
        var beforeDrop: (@Sendable () async -> Void)?
        /// Whoever gets a chunk is told of the next ones.
        var tells = false
        var told: Set<ChunkName> = []
        /// Chunks that are not at hand, though their places are told.
        var cold: Set<UInt32> = []
        /// The chunks that were got, and those that were at hand.
        var got: [UInt32] = []
        var hadAtHand: [UInt32] = []
        /// Called before each change, without the lock.
        var beforeUpdate: (@Sendable (Gateway.RegisterName) async -> Void)?
    }

    let contents = Mutex(Contents())
    /// Entries of a page, whatever the caller asks for: short pages must be put together.
    let pageMax: Int

    init(pageMax: Int = 7) { self.pageMax = pageMax }

    func fail(_ error: AccessError?) { contents.withLock { $0.failure = error } }

    private func checkFailure() throws {
        if let failure = contents.withLock({ $0.failure }) { throw failure }
    }

    func read(_ name: Gateway.RegisterName, withBlob: Bool, context: MessageContext) async throws -> RegisterSnapshot {
        try checkFailure()
        return contents.withLock { contents in
            let state = contents.registers[name]
            return RegisterSnapshot(
                state: state, blob: withBlob ? state?.blob.flatMap { contents.blobs[$0] } : nil)
        }
    }

    func update(
        _ name: Gateway.RegisterName, deleting: Bool, staged: StagedBlob?, operation: OperationID,
        context: MessageContext, change: @escaping @Sendable (StoredRegister?) -> Change
    ) async throws -> StoredRegister? {
        try checkFailure()
        if let hook = contents.withLock({ $0.beforeUpdate }) { await hook(name) }
        if let failure = contents.withLock({ $0.updateFailure }) { throw failure }
        if let repetition = contents.withLock({ $0.beforeRepetition }) {
            _ = change(contents.withLock { $0.registers[name] })
            repetition()
        }
        return try contents.withLock { contents in
            let present = contents.registers[name]
            if present?.recentOperations.contains(operation) == true { return present }
            switch change(present) {
            case .keep, .confirm: return present
            case .refuse(let error): throw AccessError.refused(error)
            case .write(let record):
                if let staged { contents.blobs[staged.id] = staged.bytes }
                let counter = (present?.tag.counter ?? 0) + 1
                contents.registers[name] = .successor(
                    of: present, writing: record, operation: operation, ballot: Ballot(counter: counter, writer: 1))
                return contents.registers[name]
            }
        }
    }

    func putChunk(
        _ name: ChunkName, _ bytes: ByteBuffer, owner: Gateway.RegisterName, context: MessageContext
    ) async throws {
        try checkFailure()
        if let hook = contents.withLock({ $0.beforePut }) { await hook() }
        contents.withLock { contents in
            contents.chunksUnderWay += 1
            contents.chunksUnderWayMax = max(contents.chunksUnderWayMax, contents.chunksUnderWay)
        }
        await Task.yield()
        contents.withLock { contents in
            contents.chunks[name] = bytes
            contents.owners[name] = owner
            contents.chunksUnderWay -= 1
        }
    }

    func dropChunks(_ blob: BlobID, _ chunks: Range<UInt32>, context: MessageContext) async throws -> Bool {
        if let hook = contents.withLock({ $0.beforeDrop }) { await hook() }
        return contents.withLock { contents in
            for index in chunks {
                contents.chunks[ChunkName(blob: blob, index: index)] = nil
                contents.dropped.insert(ChunkName(blob: blob, index: index))
            }
            return true
        }
    }

    func getChunk(
        _ name: ChunkName, offset: Int, length: Int, ahead: PlacesAhead, context: MessageContext
    ) async throws -> ByteBuffer {
        try checkFailure()
        if let hook = contents.withLock({ $0.beforeGet }) { await hook() }
        let chunk = contents.withLock { contents in
            contents.got.append(name.index)
            let told = name.index...name.index + Limits.placesAheadMax
            if contents.tells { contents.told.formUnion(told.map { ChunkName(blob: name.blob, index: $0) }) }
            return contents.chunks[name]
        }
        guard let bytes = part(of: chunk, offset, length) else { throw AccessError.absent }
        return bytes
    }

    private func part(of chunk: ByteBuffer?, _ offset: Int, _ length: Int) -> ByteBuffer? {
        chunk.flatMap { $0.getSlice(at: $0.readerIndex + offset, length: length) }
    }

    func mayBeTold(of name: ChunkName) -> Bool { contents.withLock { $0.tells } }

    func knowsPlace(of name: ChunkName) -> Bool { contents.withLock { $0.told.contains(name) } }

    func chunkAtHand(_ name: ChunkName, offset: Int, length: Int) -> ByteBuffer? {
        contents.withLock { contents in
            guard contents.told.contains(name), !contents.cold.contains(name.index) else { return nil }
            contents.hadAtHand.append(name.index)
            return part(of: contents.chunks[name], offset, length)
        }
    }

    func list(_ query: ListQuery, context: MessageContext) async throws -> ListPage {
        try checkFailure()
        let live = contents.withLock { contents in
            contents.registers.filter {
                $0.key.bucket == query.bucket && $0.key.keyspace == query.keyspace
                    && ($0.value.isLive || query.withMarkers && $0.value.record?.summary.isEmpty == false)
                    && $0.key.key.starts(with: query.prefix)
                    && (query.until.isEmpty || query.direction.precedes($0.key.key, query.until))
                    && query.after?.covers($0.key.key, query.direction) != true
            }.sorted { query.direction == .forward ? $0.key < $1.key : $1.key < $0.key }
        }
        var page = ListPage()
        for (name, state) in live {
            let rest = Array(name.key.dropFirst(query.prefix.count))
            let entry: ListedEntry
            if !query.delimiter.isEmpty, let found = rest.firstRange(of: query.delimiter) {
                entry = .commonPrefix(query.prefix + rest[..<found.upperBound])
                if page.entries.last == entry { continue }
            } else {
                entry = .key(
                    name.key, summary: state.record?.summary ?? [],
                    record: query.withRecords ? state.record?.bytes : nil)
            }
            if page.entries.count == min(query.limit, pageMax) {
                page.truncated = true
                break
            }
            page.entries.append(entry)
            switch entry {
            case .key(let key, _, _): page.next = ListPosition(key: key)
            case .commonPrefix(let prefix): page.next = ListPosition(key: prefix, isPrefix: true)
            }
        }
        if !page.truncated { page.next = nil }
        return page
    }
}
