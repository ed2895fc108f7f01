import Checksums
import Model
import NIOCore
import ObjectAccess
import Wire

/// An object as a gateway would store it: what the bus wrote, S3 reads, and the other way round.
enum StoredObject {
    /// Larger content travels in chunks, apart from its register.
    static let sizeMax = Limits.chunkSize

    /// The record, and the content that travels with it; nil: there is none.
    static func make(
        _ content: ObjectContent, owner: String, milliseconds: Int64
    ) -> (record: ObjectRecord, staged: StagedBlob?) {
        precondition(content.size <= sizeMax)
        var bytes = ByteBuffer()
        bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: content.size) { space in
            content.fill(UnsafeMutableRawBufferPointer(rebasing: space[..<content.size]), from: 0)
            return content.size
        }
        let staged = content.size == 0 ? nil : StagedBlob(id: .random(), bytes: bytes)
        let record = ObjectRecord(
            version: ObjectRecord.formatVersion, modifiedMilliseconds: milliseconds, size: UInt64(content.size),
            etag: hexDigits(of: HashAlgorithm.md5.hash(bytes)),
            metadata: [HeaderField(name: ObjectContent.metadataName, value: "\(content.version)")],
            blobs: staged.map { [BlobReference(id: $0.id.bytes, size: UInt64(content.size), chunkSize: 0)] } ?? [],
            owner: owner)
        return (record, staged)
    }

    /// Compares what was read with the version that it says to be.
    static func judge(
        _ record: ObjectRecord, _ bytes: ByteBuffer, key: String, withContent: Bool
    ) -> OperationResult {
        guard record.blobs.allSatisfy({ $0.chunkSize == 0 }) || !withContent else {
            return .failed("content in chunks is not read over the bus", mayRetry: false)
        }
        let metadata = record.metadata.first { $0.name == ObjectContent.metadataName }?.value
        var verifier = ContentVerifier(key: key, metadata: metadata, length: "\(record.size)")
        if withContent { verifier.receive(bytes) }
        verifier.finish(hasBody: withContent)
        if let fault = verifier.fault { return .wrong(fault, version: verifier.version) }
        return .done(bytes: bytes.readableBytes, version: verifier.version)
    }
}
