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
}

/// Puts content into the cluster as it arrives: a bounded number of chunks is in memory, whatever the size.
struct ContentWriter: Sendable {
    let storage: any ObjectStorage
    /// The register that is to refer to the content; of a part, the register of its upload.
    let owner: RegisterName
    let context: MessageContext
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
        guard let first = try await source.read(Limits.chunkSize) else { return WrittenContent(size: 0) }
        var ahead = [first]
        if expected.map({ $0 <= UInt64(Limits.chunkSize) }) ?? true {
            // What a body says about its length, digests and signatures is only known to be right at its end.
            guard let second = try await source.read(Limits.chunkSize) else {
                return besideRegister ? stage(first) : try await putAll([first], nil, sizeMax)
            }
            ahead.append(second)
        }
        return try await putAll(ahead, source, sizeMax)
    }

    private func stage(_ bytes: ByteBuffer) -> WrittenContent {
        let staged = StagedBlob(id: .random(), bytes: bytes)
        let size = UInt64(bytes.readableBytes)
        return WrittenContent(
            size: size, blob: BlobReference(id: staged.id.bytes, size: size, chunkSize: 0), staged: staged)
    }

    /// Chunks in order, several at a time; all are durable when it returns.
    private func putAll(
        _ ahead: [ByteBuffer], _ source: (any ContentSource)?, _ sizeMax: UInt64
    ) async throws -> WrittenContent {
        let blob = BlobID.random()
        let size = try await withThrowingTaskGroup(of: Void.self) { group in
            var size: UInt64 = 0
            var index: UInt32 = 0
            var waiting = ahead.makeIterator()
            while true {
                var next = waiting.next()
                if next == nil { next = try await source?.read(Limits.chunkSize) }
                guard let bytes = next else { break }
                size += UInt64(bytes.readableBytes)
                try checkSize(size, sizeMax)
                if index >= UInt32(window) { try await group.next() }
                let name = ChunkName(blob: blob, index: index)
                group.addTask { try await storage.putChunk(name, bytes, owner: owner, context: context) }
                index += 1
            }
            try await group.waitForAll()
            return size
        }
        let reference = BlobReference(id: blob.bytes, size: size, chunkSize: UInt32(Limits.chunkSize))
        return WrittenContent(size: size, blob: reference)
    }

    private func checkSize(_ size: UInt64, _ sizeMax: UInt64) throws {
        guard size <= sizeMax else {
            throw S3Error(
                .entityTooLarge,
                fields: [.init("ProposedSize", String(size)), .init("MaxSizeAllowed", String(sizeMax))])
        }
    }
}
