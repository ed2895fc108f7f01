import Checksums
import Encryption
import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// The encryption of one object, with its data key opened.
struct ContentEncryption: Sendable {
    var record: EncryptionRecord
    let dataKey: [UInt8]

    var format: FrameFormat {
        get throws {
            guard let format = FrameFormat(storedSize: Int(record.frameSize)) else {
                throw AccessError.damaged("an object's frames have an impossible size")
            }
            return format
        }
    }

    func cipher(of blob: BlobID) throws -> FrameCipher {
        try FrameCipher(dataKey: dataKey, blob: blob.bytes, format: format)
    }

    /// Without quotes. The digest of what only the owner of a key may read is not shown: in its place stands one that
    /// nobody can compute without the data key.
    func etag(md5: [UInt8]) -> String {
        record.mode == .encryptionSseS3
            ? ETag.ofContent(md5: md5) : ETag.ofContent(md5: Array(hmac(.sha256, key: dataKey, md5).prefix(16)))
    }
}

extension ETag {
    /// Of content that may be encrypted.
    static func ofContent(md5: [UInt8], _ encryption: ContentEncryption?) -> String {
        encryption?.etag(md5: md5) ?? ofContent(md5: md5)
    }
}

extension EncryptionRecord {
    /// What answers tell about the encryption of an object.
    var headers: HTTPHeaders {
        var headers = HTTPHeaders()
        switch mode {
        case .encryptionSseS3: headers.add(name: "x-amz-server-side-encryption", value: "AES256")
        case .encryptionSseKms:
            headers.add(name: "x-amz-server-side-encryption", value: "aws:kms")
            headers.add(
                name: "x-amz-server-side-encryption-aws-kms-key-id",
                value: keyName.isEmpty ? EncryptionRecord.ownKey : keyName)
            if bucketKey {
                headers.add(name: "x-amz-server-side-encryption-bucket-key-enabled", value: "true")
            }
        case .encryptionSseC:
            headers.add(name: "x-amz-server-side-encryption-customer-algorithm", value: "AES256")
            headers.add(name: "x-amz-server-side-encryption-customer-key-MD5", value: customerKeyMd5)
        default: break
        }
        return headers
    }

    /// What requests call the cluster's own key.
    static let ownKey = "aws/s3"
}

extension S3Response {
    /// Tells how the object is encrypted; nil: it is not.
    mutating func add(_ encryption: EncryptionRecord?) {
        if let encryption { headers.add(contentsOf: encryption.headers) }
    }
}
