import Foundation

/// How answers of admin verbs travel: JSON with snake_case keys, sorted. The keys are stable: tools read them.
public enum ReportCoding {
    public static func encode(_ report: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try Array(encoder.encode(report))
    }

    public static func decode<Report: Decodable>(_ type: Report.Type, from json: [UInt8]) throws -> Report {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(json))
    }
}

/// The answer of a verb that has nothing to tell: `{"result":"OK"}`.
public struct DoneReport: Codable, Sendable, Equatable {
    public var result = "OK"
    public init() {}
}
