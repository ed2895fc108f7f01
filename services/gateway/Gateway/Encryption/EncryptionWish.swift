import Foundation
import NIOHTTP1
import S3Protocol
import Wire

/// How a request, or the default of its bucket, wants an object to be encrypted.
enum EncryptionWish: Sendable, Equatable {
    case sseS3
    /// - Parameters:
    ///   - key: name of a key; nil: the cluster's own.
    ///   - context: base64 of JSON; "" for none.
    case sseKMS(key: String?, context: String, bucketKey: Bool)
    case customer(CustomerKey)

    private static let prefix = "x-amz-server-side-encryption"

    /// nil: the headers ask for none.
    init?(_ headers: HTTPHeaders) throws(S3Error) {
        let customer = try CustomerKey(headers)
        let method = headers.first(name: Self.prefix)
        let name = headers.first(name: Self.prefix + "-aws-kms-key-id")
        guard customer == nil || (method == nil && name == nil) else {
            throw S3Error.invalidArgument(
                "Server Side Encryption with Customer provided key is incompatible with the encryption method "
                    + "specified", name: Self.prefix, value: method ?? "")
        }
        if let customer {
            self = .customer(customer)
            return
        }
        switch method {
        case "aws:kms":
            self = .sseKMS(
                key: name.flatMap(Self.keyName), context: try Self.context(headers),
                bucketKey: headers.first(name: Self.prefix + "-bucket-key-enabled")?.lowercased() == "true")
        case _ where name != nil:
            throw S3Error.invalidArgument(
                "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : "
                    + "aws:kms", name: Self.prefix, value: method ?? "")
        case nil: return nil
        case "AES256": self = .sseS3
        case let other?:
            throw S3Error.invalidArgument(
                "The encryption method specified is not supported", name: Self.prefix, value: other)
        }
    }

    /// Of a key's id, alias or ARN; nil: the cluster's own key.
    static func keyName(_ id: String) -> String? {
        var name = Substring(id)
        if name.hasPrefix("arn:"), let last = name.split(separator: ":", maxSplits: 5).last { name = last }
        for prefix in ["key/", "alias/"] where name.hasPrefix(prefix) { name = name.dropFirst(prefix.count) }
        return name == EncryptionRecord.ownKey ? nil : String(name)
    }

    /// A JSON object of texts.
    private static func context(_ headers: HTTPHeaders) throws(S3Error) -> String {
        guard let text = headers.first(name: prefix + "-context") else { return "" }
        guard text.utf8.count <= 8192, let bytes = Base64.decode(text),
            (try? JSONDecoder().decode([String: String].self, from: Data(bytes))) != nil
        else {
            throw S3Error.invalidArgument(
                "The header '\(prefix)-context' shall be Base64-encoded UTF-8 string holding JSON which represents a "
                    + "string-string map", name: prefix + "-context", value: "")
        }
        return text
    }

    /// Throws when a request names an encryption that only requests that make objects may name.
    static func refuse(_ headers: HTTPHeaders) throws(S3Error) {
        if let value = headers.first(name: prefix) {
            throw S3Error.invalidArgument(
                "\(prefix) header is not supported for this operation.", name: prefix, value: value)
        }
    }
}
