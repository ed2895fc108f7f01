import Checksums
import Foundation
import Logging
import MetadataIndex
import Model
import NIOCore
import ObjectLog
import Observability
import Register
import Testing
import Threads
import Wire

@testable import Storage

/// Waits for a completion, or tells that there was none yet.
final class Pending<Answer: Sendable>: Sendable {
    private let state = Monitor(Result<Answer, StorageError>?.none)

    var isAnswered: Bool { state.withLock { $0 != nil } }

    var completion: Completion<Answer> {
        { result in
            self.state.withLock {
                #expect($0 == nil, "answered twice")
                $0 = result
            }
            self.state.wake()
        }
    }

    func wait() throws -> Answer {
        try state.waiting { state, waiter -> Result<Answer, StorageError> in
            while state.pointee == nil { waiter.wait() }
            return state.pointee!
        }.get()
    }

    static func of(_ body: (@escaping Completion<Answer>) -> Void) throws -> Answer {
        let pending = Pending()
        body(pending.completion)
        return try pending.wait()
    }
}

/// A disk whose log is simulated; the index is in a temporary directory.
final class DiskFixture {
    let path = NSTemporaryDirectory() + "storage-" + UUID().uuidString
    private(set) var files = SimulatedDirectory()
    private var opened: DiskReplica?
    var disk: DiskReplica { opened! }
    private static let memory = IndexMemory(limit: 16 << 20)

    init() throws { opened = try Self.open(path, files) }

    deinit {
        opened?.stop()
        opened = nil
        try? FileManager.default.removeItem(atPath: path)
    }

    private static func open(_ path: String, _ files: SimulatedDirectory) throws -> DiskReplica {
        try DiskReplica.open(
            path: path, options: DiskOptions(node: "storage-1", segmentSize: 4 << 20, memory: memory), files: files,
            staged: StagedBlobs(sizeMax: 8 << 20), metrics: StorageMetrics(MetricsRegistry()),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    /// Stops it, lets `damage` happen to the files, starts it again, as after a power cut.
    func restart(losingIndex: Bool = false, _ damage: (SimulatedDirectory) throws -> Void = { _ in }) throws {
        disk.stop()
        // The index is closed with its last owner.
        opened = nil
        var generator = SystemRandomNumberGenerator()
        files = files.afterCrash(.dropped, using: &generator)
        try damage(files)
        if losingIndex { try FileManager.default.removeItem(atPath: path + "/index") }
        opened = try Self.open(path, files)
    }

    // MARK: - Requests that wait for their answer

    @discardableResult
    func put(_ name: Model.RegisterName, _ counter: UInt64, _ text: String? = nil) throws -> CommitResult {
        let blob = text.map { BlobPayload($0, id: counter) }
        let staged = try Pending.of { disk.stage(name, ballot(counter), blob: blob, $0) }
        #expect(staged.promised)
        return try commit(name, .sample(counter, blobs: blob.map { [$0.id] } ?? []))
    }

    func commit(_ name: Model.RegisterName, _ state: ReplicaState, blob: BlobPayload? = nil) throws -> CommitResult {
        try Pending.of { disk.commit(name, state, blob: blob, $0) }
    }

    func stage(_ name: Model.RegisterName, _ counter: UInt64) throws -> StageResult {
        try Pending.of { disk.stage(name, ballot(counter), blob: nil, $0) }
    }

    func read(_ name: Model.RegisterName) throws -> ReadResult {
        try Pending.of { disk.read(name, withBlob: true, $0) }
    }
}

func ballot(_ counter: UInt64) -> Ballot { Ballot(counter: counter, writer: 1) }

func name(_ key: String) -> Model.RegisterName {
    Model.RegisterName(bucket: BucketID(high: 1, low: 2), key: Array(key.utf8))
}

extension BlobPayload {
    init(_ text: String, id: UInt64) {
        let bytes = ByteBuffer(string: text)
        self.init(id: BlobID(high: 5, low: id), content: CheckedBytes(bytes: bytes, checksum: crc32c(bytes)))
    }
}

extension RegisterState where Record == ReplicaRecord {
    static func sample(_ counter: UInt64, deleted: Bool = false, blobs: [BlobID] = []) -> ReplicaState {
        ReplicaState(
            tag: ballot(counter), sequence: counter, recentOperations: [OperationID(high: 3, low: counter)],
            record: ReplicaRecord(
                bytes: [1, 2], isTombstone: deleted,
                summary: deleted ? [] : ListingSummary(size: 10 * counter).encoded(), blobs: blobs))
    }
}
