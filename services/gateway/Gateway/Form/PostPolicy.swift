import Foundation
import S3Protocol

/// The policy of a form that a browser posts: until when it holds, and what its fields may say. Pure.
struct PostPolicy: Sendable, Equatable {
    enum Condition: Sendable, Equatable {
        case equals(field: String, value: String)
        case startsWith(field: String, prefix: String)
    }

    /// Seconds since 1970.
    var expiration: Int64
    var conditions: [Condition] = []
    var lengths: ClosedRange<UInt64>?

    /// - Parameter text: base64 of JSON.
    init(parsing text: String) throws(S3Error) {
        guard let bytes = Base64.decode(text), let document = PolicyJSON.object(parsing: bytes) else {
            throw .form("Invalid Policy: Invalid JSON.")
        }
        guard case .text(let date)? = document["expiration"] else {
            throw .form("Invalid Policy: Policy missing expiration.")
        }
        guard let expiration = Self.seconds(date) else { throw .form("Invalid Policy: Invalid 'expiration' value.") }
        guard case .list(let list)? = document["conditions"], !list.isEmpty else {
            throw .form("Invalid Policy: Policy missing conditions.")
        }
        self.expiration = expiration
        for element in list { try add(element) }
    }

    private static func seconds(_ text: String) -> Int64? {
        for options: ISO8601DateFormatter.Options in [
            [.withInternetDateTime], [.withInternetDateTime, .withFractionalSeconds],
        ] {
            let formatter = ISO8601DateFormatter()
            formatter.formatOptions = options
            if let date = formatter.date(from: text) { return Int64(date.timeIntervalSince1970) }
        }
        return nil
    }

    private mutating func add(_ element: PolicyJSON) throws(S3Error) {
        switch element {
        case .object(let object) where !object.isEmpty:
            for (name, value) in object {
                guard case .text(let text) = value else {
                    throw .form("Invalid Policy: Invalid Simple-Condition: value must be a string.")
                }
                conditions.append(.equals(field: name.lowercased(), value: text))
            }
        case .list:
            guard let texts = element.texts, let name = texts.first?.lowercased(), texts.count == 3 else {
                throw .form("Invalid Policy: Invalid Condition: wrong number of arguments.")
            }
            try add(name, texts[1], texts[2])
        default: throw .form("Invalid Policy: Invalid Condition.")
        }
    }

    private mutating func add(_ name: String, _ first: String, _ second: String) throws(S3Error) {
        switch name {
        case "content-length-range":
            guard let low = UInt64(first), let high = UInt64(second), low <= high else {
                throw .form("Invalid Policy: Invalid content-length-range.")
            }
            lengths = low...high
        case "eq", "starts-with":
            guard first.hasPrefix("$"), first.count > 1 else {
                throw .form("Invalid Policy: Invalid Condition: the field must begin with $.")
            }
            let field = first.dropFirst().lowercased()
            conditions.append(
                name == "eq" ? .equals(field: field, value: second) : .startsWith(field: field, prefix: second))
        default: throw .form("Invalid Policy: Invalid Condition: unknown operation '\(name)'.")
        }
    }

    // MARK: - Check

    /// Fields that no condition needs to allow.
    private static let exempt: Set = ["x-amz-signature", "signature", "awsaccesskeyid", "policy", "file", "bucket"]

    /// - Parameters:
    ///   - fields: by their names in lower case.
    ///   - now: seconds since 1970.
    ///
    /// Throws `AccessDenied` with the condition that does not hold.
    func check(_ fields: [String: String], bucket: String, now: Int64) throws(S3Error) {
        guard now < expiration else { throw .againstPolicy("Policy expired.") }
        var covered = Self.exempt
        for condition in conditions {
            switch condition {
            case .equals(let field, let value):
                covered.insert(field)
                let found = field == "bucket" ? bucket : fields[field] ?? ""
                guard Array(found.utf8) == Array(value.utf8) else {
                    throw .againstPolicy("Policy Condition failed: [\"eq\", \"$\(field)\", \"\(value)\"]")
                }
            case .startsWith(let field, let prefix):
                covered.insert(field)
                let found = field == "bucket" ? bucket : fields[field] ?? ""
                // Of several types each must be allowed.
                let parts =
                    field == "content-type" ? found.split(separator: ",").map { $0.drop { $0 == " " } } : [found[...]]
                guard parts.allSatisfy({ $0.utf8.starts(with: prefix.utf8) }), !parts.isEmpty || prefix.isEmpty else {
                    throw .againstPolicy("Policy Condition failed: [\"starts-with\", \"$\(field)\", \"\(prefix)\"]")
                }
            }
        }
        let extra = fields.keys.filter { !covered.contains($0) && !$0.hasPrefix("x-ignore-") }.sorted()
        guard extra.isEmpty else { throw .againstPolicy("Extra input fields: \(extra[0])") }
    }
}

extension S3Error {
    fileprivate static func form(_ message: String) -> S3Error { S3Error(.invalidPolicyDocument, message) }
    fileprivate static func againstPolicy(_ message: String) -> S3Error {
        S3Error(.accessDenied, "Invalid according to Policy: " + message)
    }
}
