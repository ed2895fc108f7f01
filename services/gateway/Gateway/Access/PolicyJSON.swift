import Foundation

/// A JSON value of a policy. Numbers and truth values may stand where texts are expected: conditions allow it.
indirect enum PolicyJSON: Decodable, Sendable, Equatable {
    case object([String: PolicyJSON])
    case list([PolicyJSON])
    case text(String)
    case null

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        if let container = try? decoder.container(keyedBy: Key.self) {
            var object: [String: PolicyJSON] = [:]
            for key in container.allKeys {
                object[key.stringValue] = try container.decode(PolicyJSON.self, forKey: key)
            }
            self = .object(object)
        } else if var container = try? decoder.unkeyedContainer() {
            var list: [PolicyJSON] = []
            while !container.isAtEnd { list.append(try container.decode(PolicyJSON.self)) }
            self = .list(list)
        } else {
            self = try Self.scalar(decoder.singleValueContainer())
        }
    }

    private static func scalar(_ container: any SingleValueDecodingContainer) throws -> PolicyJSON {
        if container.decodeNil() { return .null }
        if let flag = try? container.decode(Bool.self) { return .text(flag ? "true" : "false") }
        if let number = try? container.decode(Int64.self) { return .text(String(number)) }
        if let number = try? container.decode(Double.self) { return .text(String(number)) }
        return .text(try container.decode(String.self))
    }

    /// nil when the bytes are no JSON object.
    static func object(parsing bytes: [UInt8]) -> [String: PolicyJSON]? {
        guard bytes.first == UInt8(ascii: "{"), let value = try? JSONDecoder().decode(Self.self, from: Data(bytes)),
            case .object(let object) = value
        else { return nil }
        return object
    }

    /// One text or a list of texts; nil for anything else.
    var texts: [String]? {
        switch self {
        case .text(let text): return [text]
        case .list(let list):
            var texts: [String] = []
            for case .text(let text) in list { texts.append(text) }
            return texts.count == list.count ? texts : nil
        default: return nil
        }
    }
}
