import MessageBus
import Model
import NIOCore
import ObjectAccess
import Register

typealias RegisterName = Model.RegisterName
typealias StoredRegister = RegisterState<StoredRecord>

/// What operations need of the cluster's storage: `ObjectAccess`, or a fake in tests.
protocol ObjectStorage: RegisterStoring {
    /// - Parameter owner: the register that is to refer to the chunk; of a part, the register of its upload.
    func putChunk(_ name: ChunkName, _ bytes: ByteBuffer, owner: RegisterName, context: MessageContext) async throws
    /// - Parameter ahead: shared by all reads of some content.
    func getChunk(
        _ name: ChunkName, offset: Int, length: Int, ahead: PlacesAhead, context: MessageContext
    ) async throws -> ByteBuffer
    /// The same if it can be had without waiting.
    func chunkAtHand(_ name: ChunkName, offset: Int, length: Int) -> ByteBuffer?
    /// Whether it is known where to look for a chunk without asking.
    func knowsPlace(of name: ChunkName) -> Bool
    /// Whether getting a chunk may tell where those behind it are.
    func mayBeTold(of name: ChunkName) -> Bool
    /// Returns whether all replicas have dropped them.
    func dropChunks(_ blob: BlobID, _ chunks: Range<UInt32>, context: MessageContext) async throws -> Bool
}

extension ObjectStorage {
    func update(
        _ name: RegisterName, context: MessageContext, change: @escaping @Sendable (StoredRegister?) -> Change
    ) async throws -> StoredRegister? {
        try await update(
            name, deleting: false, staged: nil, operation: .random(), context: context, change: change)
    }

    /// Writes a tombstone where there is something. `allowed` may refuse on seeing the live record.
    func delete(
        _ name: RegisterName, context: MessageContext,
        unless refuse: @escaping @Sendable (StoredRecord?) -> (any Error)? = { _ in nil }
    ) async throws {
        _ = try await update(
            name, deleting: true, staged: nil, operation: .random(), context: context
        ) { state in
            let live = state.flatMap { $0.isLive ? $0.record : nil }
            if let error = refuse(live) { return .refuse(error) }
            return live == nil ? .keep : .write(.tombstone)
        }
    }
}

/// The storage nodes of the cluster.
struct ClusterObjectStorage: ObjectStorage {
    let registers: RegisterClient
    let chunks: ChunkClient
    let lister: Lister

    func read(_ name: RegisterName, withBlob: Bool, context: MessageContext) async throws -> RegisterSnapshot {
        try await registers.read(name, withBlob: withBlob, context: context)
    }

    func update(
        _ name: RegisterName, deleting: Bool, staged: StagedBlob?, operation: OperationID, context: MessageContext,
        change: @escaping @Sendable (StoredRegister?) -> Change
    ) async throws -> StoredRegister? {
        try await registers.update(
            name, deleting: deleting, staged: staged, operation: operation, context: context, change: change
        ).state
    }

    func putChunk(_ name: ChunkName, _ bytes: ByteBuffer, owner: RegisterName, context: MessageContext) async throws {
        try await chunks.put(name, bytes, owner: owner, context: context)
    }

    func getChunk(
        _ name: ChunkName, offset: Int, length: Int, ahead: PlacesAhead, context: MessageContext
    ) async throws -> ByteBuffer {
        try await chunks.get(name, offset: offset, length: length, ahead: ahead, context: context)
    }

    func chunkAtHand(_ name: ChunkName, offset: Int, length: Int) -> ByteBuffer? {
        chunks.atHand(name, offset: offset, length: length)
    }

    func knowsPlace(of name: ChunkName) -> Bool { chunks.knowsPlace(of: name) }

    func mayBeTold(of name: ChunkName) -> Bool { chunks.mayBeTold(of: name) }

    func dropChunks(_ blob: BlobID, _ chunks: Range<UInt32>, context: MessageContext) async throws -> Bool {
        try await self.chunks.drop(blob, chunks: chunks, context: context).isComplete
    }

    func list(_ query: ListQuery, context: MessageContext) async throws -> ListPage {
        try await lister.list(query, context: context)
    }
}
