import Checksums
import ClusterState
import Encryption
import S3Protocol
import Wire

/// Makes and opens the data keys of objects: each object has one, sealed with a key that belongs to the cluster, to a name,
/// or to the client.
final class EncryptionKeys: Sendable {
    private let master: MasterKey?
    private let cluster: any ClusterViewing
    /// A key that was made or rotated a moment ago may be unknown here yet.
    private let refresh: SharedRefresh

    /// - Parameter master: nil: only clients' keys can be used.
    init(master: MasterKey?, cluster: any ClusterViewing, refresh: SharedRefresh) {
        self.master = master
        self.cluster = cluster
        self.refresh = refresh
    }

    /// A new data key.
    func make(_ wish: EncryptionWish) async throws(S3Error) -> ContentEncryption {
        let dataKey = randomBytes(32)
        var record = EncryptionRecord(frameSize: UInt32(FrameFormat.standard.storedSize))
        switch wish {
        case .sseS3: record.mode = .encryptionSseS3
        case .sseKMS(let name, let context, let bucketKey):
            record.mode = .encryptionSseKms
            (record.keyName, record.context, record.bucketKey) = (name ?? "", context, bucketKey)
            if let name { record.keyVersion = try await named(name).versions.last?.number ?? 0 }
        case .customer(let key):
            record.mode = .encryptionSseC
            record.customerKeyMd5 = key.md5
        }
        let customer: CustomerKey? = if case .customer(let key) = wish { key } else { nil }
        record.sealedKey = try await sealing(record, customer).seal(dataKey, context: Array(record.context.utf8))
        return ContentEncryption(record: record, dataKey: dataKey)
    }

    /// The data key of content that is there. nil: it is not encrypted.
    ///
    /// - Parameter customer: the key that the request brings.
    func open(_ record: EncryptionRecord?, _ customer: CustomerKey?) async throws(S3Error) -> ContentEncryption? {
        guard let record else {
            guard customer == nil else { throw .notCustomers }
            return nil
        }
        guard record.mode == .encryptionSseC || customer == nil else { throw .notCustomers }
        guard record.mode != .encryptionSseC || customer != nil else {
            throw S3Error(
                .invalidRequest,
                "The object was stored using a form of Server Side Encryption. The correct parameters must be provided "
                    + "to retrieve the object.")
        }
        let key = try await sealing(record, customer)
        guard let dataKey = key.open(record.sealedKey, context: Array(record.context.utf8)) else {
            // A client's key is wrong; one of our own cannot be, unless the record is damaged.
            throw customer == nil
                ? S3Error(.internalError, "The object's key cannot be opened.") : S3Error(.accessDenied)
        }
        return ContentEncryption(record: record, dataKey: dataKey)
    }

    /// The key that seals the data key of this record.
    private func sealing(_ record: EncryptionRecord, _ customer: CustomerKey?) async throws(S3Error) -> SealingKey {
        if let customer { return SealingKey(derivedFrom: customer.bytes, purpose: "martlet sse-c") }
        guard let master else { throw S3Error(.serviceUnavailable, "The gateway has no master key.") }
        switch record.mode {
        case .encryptionSseS3: return SealingKey(derivedFrom: master.bytes, purpose: "martlet sse-s3")
        case .encryptionSseKms where record.keyName.isEmpty:
            return SealingKey(derivedFrom: master.bytes, purpose: "martlet sse-kms")
        case .encryptionSseKms:
            let key = try await named(record.keyName, version: record.keyVersion)
            guard let version = key.version(record.keyVersion),
                let secret = try? master.unseal(version.sealedKey)
            else { throw S3Error(.internalError, "A version of the key \(record.keyName) is missing.") }
            return SealingKey(derivedFrom: secret, purpose: "martlet sse-kms")
        default: throw S3Error(.internalError, "The object is encrypted in an unknown way.")
        }
    }

    /// Throws when there is no such key, or it must not be used.
    ///
    /// - Parameter version: one that is needed; nil: whichever there is.
    func named(_ name: String, version: UInt32? = nil) async throws(S3Error) -> EncryptionKeyRecord {
        var key = cluster.view.encryptionKeys[name]
        let isComplete = if let version { key?.version(version) != nil } else { key != nil }
        if !isComplete {
            do { try await refresh() } catch {
                throw S3Error(.serviceUnavailable, "It cannot be told now whether the key '\(name)' exists.")
            }
            key = cluster.view.encryptionKeys[name]
        }
        guard let key else {
            throw S3Error(.kmsNotFound, "The key '\(name)' does not exist")
        }
        guard !key.disabled else { throw S3Error(.kmsDisabled, "The key '\(name)' is disabled.") }
        return key
    }
}

extension EncryptionKeyRecord {
    fileprivate func version(_ number: UInt32) -> EncryptionKeyVersion? { versions.first { $0.number == number } }
}

extension S3Error {
    fileprivate static let notCustomers = S3Error(
        .invalidRequest, "The encryption parameters are not applicable to this object.")
}
