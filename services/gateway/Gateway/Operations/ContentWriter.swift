import MessageBus
import Model
import NIOCore
import ObjectAccess
import S3Protocol
import Wire

/// Content that is stored, or ready to be stored with its register, and that nothing refers to yet.
struct WrittenContent: Sendable {
    var size: UInt64
    /// nil: no bytes.
    var blob: BlobReference?
    /// Content that is to travel with the register.
    var staged: StagedBlob?
    /// The register must be proposed before: until then unreferenced chunks are kept for certain.
    var deadline: ContinuousClock.Instant
}

/// Puts content into the cluster as it arrives: a bounded number of chunks is in memory, whatever the size.
struct ContentWriter: Sendable {
    let storage: any ObjectStorage
    /// Gets the chunks of content that could not be written to its end.
    let abandoned: AbandonedContent
    /// The register that is to refer to the content; of a part, the register of its upload.
    let owner: RegisterName
    /// By then the content must be written, and its register proposed.
    let deadline: ContinuousClock.Instant
    let now: @Sendable () -> ContinuousClock.Instant
    let context: MessageContext
    /// nil: the content is stored as it comes.
    var encryption: ContentEncryption?
    /// Chunks on their way to the replicas at a time.
    var window = 2

    /// - Parameters:
    ///   - expected: the size when it is known.
    ///   - besideRegister: small content may travel with the register of its object. A part's may not: it becomes part
    ///     of an object whose register is another one.
    func write(
        _ source: any ContentSource, expected: UInt64?, sizeMax: UInt64 = Limits.putSizeMax, besideRegister: Bool
    ) async throws -> WrittenContent {
        try checkSize(expected ?? 0, sizeMax)
        let blob = BlobID.random()
        guard let encryption else {
            return try await store(source, as: blob, expected, sizeMax, besideRegister: besideRegister)
        }
        let format = try encryption.format
        let sealed = EncryptingSource(source, try encryption.cipher(of: blob), storedPiece: Limits.chunkSize)
        var content = try await store(
            sealed, as: blob, expected.map(format.stored(content:)), format.stored(content: sizeMax),
            besideRegister: besideRegister)
        content.size = format.content(stored: content.size) ?? 0
        return content
    }

    private func store(
        _ source: any ContentSource, as blob: BlobID, _ expected: UInt64?, _ sizeMax: UInt64, besideRegister: Bool
    ) async throws -> WrittenContent {
        guard let first = try await source.read(Limits.chunkSize) else {
            return WrittenContent(size: 0, deadline: deadline)
        }
        var ahead = [first]
        if expected.map({ $0 <= UInt64(Limits.chunkSize) }) ?? true {
            // What a body says about its length, digests and signatures is only known to be right at its end.
            guard let second = try await source.read(Limits.chunkSize) else {
                return besideRegister
                    ? stage(first, as: blob) : try await putAll([first], nil, as: blob, sizeMax)
            }
            ahead.append(second)
        }
        return try await putAll(ahead, source, as: blob, sizeMax)
    }

    private func stage(_ bytes: ByteBuffer, as blob: BlobID) -> WrittenContent {
        let staged = StagedBlob(id: blob, bytes: bytes)
        let size = UInt64(bytes.readableBytes)
        return WrittenContent(
            size: size, blob: BlobReference(id: staged.id.bytes, size: size, chunkSize: 0), staged: staged,
            deadline: deadline)
    }

    /// Chunks in order, several at a time; all are durable when it returns. After a failure they are dropped.
    private func putAll(
        _ ahead: [ByteBuffer], _ source: (any ContentSource)?, as blob: BlobID, _ sizeMax: UInt64
    ) async throws -> WrittenContent {
        var size: UInt64 = 0
        var index: UInt32 = 0
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                var waiting = ahead.makeIterator()
                while true {
                    var next = waiting.next()
                    if next == nil { next = try await source?.read(Limits.chunkSize) }
                    guard let bytes = next else { break }
                    size += UInt64(bytes.readableBytes)
                    try checkSize(size, sizeMax)
                    guard now() < deadline else { throw S3Error.uploadTooSlow }
                    if index >= UInt32(window) { try await group.next() }
                    let name = ChunkName(blob: blob, index: index)
                    index += 1
                    group.addTask { try await storage.putChunk(name, bytes, owner: owner, context: context) }
                }
                try await group.waitForAll()
            }
        } catch {
            // No put is under way any more: the group has waited for all of them.
            abandoned.drop(blob, count: index)
            throw error
        }
        let reference = BlobReference(id: blob.bytes, size: size, chunkSize: UInt32(Limits.chunkSize))
        return WrittenContent(size: size, blob: reference, deadline: deadline)
    }

    private func checkSize(_ size: UInt64, _ sizeMax: UInt64) throws {
        guard size <= sizeMax else {
            throw S3Error(
                .entityTooLarge,
                fields: [.init("ProposedSize", String(size)), .init("MaxSizeAllowed", String(sizeMax))])
        }
    }
}

extension S3Error {
    static let uploadTooSlow = S3Error(
        .requestTimeout, "The upload has taken longer than \(Limits.uploadTimeMax.components.seconds / 3600) hours.")
}

extension S3Operations {
    /// - Parameter owner: the register that is to refer to the content; of a part, the register of its upload.
    func writer(
        of owner: RegisterName, _ call: S3Call, _ encryption: ContentEncryption? = nil
    ) -> ContentWriter {
        ContentWriter(
            storage: storage, abandoned: abandoned, owner: owner, deadline: now() + Limits.uploadTimeMax, now: now,
            context: call.context, encryption: encryption)
    }

    /// Runs what makes a register refer to the content. If it fails for sure, nothing ever will, and the content is
    /// dropped; if nobody can tell, it stays.
    func referring<Value>(to content: WrittenContent, _ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch {
            if let blob = content.blob, Self.meansNoEffect(error) { abandon(blob) }
            throw error
        }
    }

    /// No register was changed by the request that failed with this, nor will be.
    static func meansNoEffect(_ error: any Error) -> Bool {
        switch error {
        case AccessError.outcomeUnknown, AccessError.refused(AccessError.outcomeUnknown): false
        case is AccessError, is S3Error: true
        default: false
        }
    }

    private func abandon(_ blob: BlobReference) {
        guard blob.chunkSize > 0, let id = BlobID(blob.id) else { return }
        let size = UInt64(blob.chunkSize)
        abandoned.drop(id, count: UInt32(clamping: (blob.size + size - 1) / size))
    }
}
