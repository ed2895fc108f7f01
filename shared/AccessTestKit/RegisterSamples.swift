import Model
import NIOCore
import ObjectAccess
import Register

/// For suites that put some objects into one bucket.
public protocol RegisterSamples {}

extension RegisterSamples {
    public var bucket: BucketID { BucketID(high: 1, low: 1) }

    public func name(_ key: String, _ keyspace: Keyspace = .objects) -> Model.RegisterName {
        Model.RegisterName(bucket: bucket, keyspace: keyspace, key: Array(key.utf8))
    }

    /// Writes a record with its content beside it.
    @discardableResult
    public func put(_ client: RegisterClient, _ key: String, _ content: String) async throws -> BlobID {
        let blob = StagedBlob(id: .random(), bytes: ByteBuffer(string: content))
        _ = try await client.update(name(key), staged: blob) { _ in
            .write(StoredRecord(bytes: Array(content.utf8), blobs: [blob.id]))
        }
        return blob.id
    }
}
