import Foundation

/// A history as lines of JSON, one operation a line, so that a killed recorder loses no more than its last line.
public enum HistoryFile {
    /// One line without its end.
    public static func encode(_ operation: HistoryOperation) -> String { line(operation, encoder) }

    public static func encode(_ history: [HistoryOperation]) -> String {
        let encoder = encoder
        return history.map { line($0, encoder) + "\n" }.joined()
    }

    private static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    private static func line(_ operation: HistoryOperation, _ encoder: JSONEncoder) -> String {
        // Strings and numbers: nothing in it can fail to be encoded.
        String(decoding: try! encoder.encode(operation), as: UTF8.self)
    }

    /// Empty lines are skipped, and so is a last line without an end that does not parse.
    public static func decode(_ text: String) throws(HistoryFileError) -> [HistoryOperation] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let decoder = JSONDecoder()
        var history: [HistoryOperation] = []
        for (index, line) in lines.enumerated() where !line.isEmpty {
            do {
                history.append(try decoder.decode(HistoryOperation.self, from: Data(line.utf8)))
            } catch {
                if index == lines.count - 1 { break }
                throw HistoryFileError(line: index + 1, message: "\(error)")
            }
        }
        return history
    }
}

public struct HistoryFileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// From 1.
    public var line: Int
    public var message: String
    public var description: String { "line \(line): \(message)" }
}

extension HistoryOperation: Codable {
    private enum CodingKeys: String, CodingKey {
        case client, key, kind, value, condition, expected, call, outcome
        case returned = "return"
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            client: try fields.decode(Int.self, forKey: .client), key: try fields.decode(String.self, forKey: .key),
            kind: try fields.decode(Kind.self, forKey: .kind),
            value: try fields.decodeIfPresent(String.self, forKey: .value),
            condition: try Self.condition(fields), call: try fields.decode(Int64.self, forKey: .call),
            returned: try fields.decodeIfPresent(Int64.self, forKey: .returned),
            outcome: try fields.decode(Outcome.self, forKey: .outcome))
        let consistent = (kind == .conditionalPut) == (condition != nil)
        guard consistent, value != nil || kind == .get || kind == .delete, outcome == .unknown || returned != nil else {
            throw DecodingError.dataCorruptedError(
                forKey: .kind, in: fields, debugDescription: "a put needs a value, an answer its time")
        }
    }

    private static func condition(_ fields: KeyedDecodingContainer<CodingKeys>) throws -> Condition? {
        switch try fields.decodeIfPresent(String.self, forKey: .condition) {
        case nil: nil
        case "absent"?: .absent
        case "holds"?: .holds(try fields.decode(String.self, forKey: .expected))
        case let other?:
            throw DecodingError.dataCorruptedError(
                forKey: .condition, in: fields, debugDescription: "unknown condition \(other)")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(client, forKey: .client)
        try fields.encode(key, forKey: .key)
        try fields.encode(kind, forKey: .kind)
        try fields.encodeIfPresent(value, forKey: .value)
        switch condition {
        case .absent?: try fields.encode("absent", forKey: .condition)
        case .holds(let expected)?:
            try fields.encode("holds", forKey: .condition)
            try fields.encode(expected, forKey: .expected)
        case nil: break
        }
        try fields.encode(call, forKey: .call)
        try fields.encodeIfPresent(returned, forKey: .returned)
        try fields.encode(outcome, forKey: .outcome)
    }
}

extension HistoryOperation.Kind: Codable {}
extension HistoryOperation.Outcome: Codable {}
