import Foundation
import Model
import Wire

/// One record as people and programs read it.
enum TapLine {
    /// Time, who → whom, type, sizes, latency and result, key.
    static func text(_ record: TapRecord) -> String {
        let time = isoTime(record.timeMicroseconds).dropFirst(11).dropLast()
        var columns = [
            String(time), pad(record.process, 14), arrow(record.direction), pad(record.peer, 14),
            pad("\(record.type)", 13),
            pad("\(record.bodyBytes)+\(record.payloadBytes)", 13),
        ]
        if record.direction == .tapReply {
            columns.append(pad("\(milliseconds(record)) ms", 11))
            columns.append(pad("\(record.status)", 4))
            if !record.errorMessage.isEmpty { columns.append("(\(visible(Array(record.errorMessage.utf8))))") }
        }
        if !record.key.isEmpty { columns.append(visible(record.key)) }
        while columns.last?.allSatisfy({ $0 == " " }) == true { columns.removeLast() }
        return columns.joined(separator: " ")
    }

    private static func arrow(_ direction: TapDirection) -> String {
        switch direction {
        case .tapRequest: "→"
        case .tapReply: "←"
        case .tapPublication: "⇉"
        default: "?"
        }
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func milliseconds(_ record: TapRecord) -> String {
        let microseconds = record.latencyMicroseconds
        let fraction = String(microseconds % 1000)
        return "\(microseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }

    /// Keys may hold anything: what is no text, or would disturb a terminal, is escaped.
    static func visible(_ bytes: [UInt8]) -> String {
        var text = ""
        var decoder = Unicode.UTF8.ForwardParser()
        var input = bytes.makeIterator()
        var position = 0
        while true {
            switch decoder.parseScalar(from: &input) {
            case .valid(let encoded):
                position += encoded.count
                let scalar = Unicode.UTF8.decode(encoded)
                let isQuiet = scalar.value >= 0x20 && !(0x7f..<0xa0).contains(scalar.value)
                text += isQuiet ? String(scalar) : "\\u{\(String(scalar.value, radix: 16))}"
            case .error(let length):
                for byte in bytes[position..<position + length] { text += "\\x\(hexDigits(of: [byte]))" }
                position += length
            case .emptyInput: return text
            }
        }
    }

    /// UTC with microseconds.
    static func isoTime(_ microseconds: Int64) -> String {
        var seconds = time_t(microseconds.quotientAndRemainder(dividingBy: 1_000_000).quotient)
        var fields = tm()
        gmtime_r(&seconds, &fields)
        return String(
            format: "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", fields.tm_year + 1900, fields.tm_mon + 1, fields.tm_mday,
            fields.tm_hour, fields.tm_min, fields.tm_sec, Int32(abs(microseconds % 1_000_000)))
    }

    static func json(_ record: TapRecord) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(JSONRecord(record)), as: UTF8.self)
    }
}

/// The keys of `--json`: stable.
private struct JSONRecord: Encodable {
    let time: String
    let process: String
    let direction: String
    let type: String
    let peer: String
    let correlation: UInt64
    let requestID: String
    let bucket: String
    let key: String
    let bodyBytes: UInt64
    let payloadBytes: UInt64
    /// Answers only.
    let latency: Double?
    let result: String?
    let error: String?

    enum CodingKeys: String, CodingKey {
        case time, process, direction, type, peer, correlation, bucket, key, result, error
        case requestID = "request_id"
        case bodyBytes = "body_bytes"
        case payloadBytes = "payload_bytes"
        case latency = "latency_ms"
    }

    init(_ record: TapRecord) {
        let isReply = record.direction == .tapReply
        time = TapLine.isoTime(record.timeMicroseconds)
        process = record.process
        direction = isReply ? "reply" : record.direction == .tapRequest ? "request" : "publication"
        type = "\(record.type)"
        peer = record.peer
        correlation = record.correlationId
        requestID = record.requestId
        bucket = record.bucket
        key = String(decoding: record.key, as: UTF8.self)
        bodyBytes = record.bodyBytes
        payloadBytes = record.payloadBytes
        latency = isReply ? Double(record.latencyMicroseconds) / 1000 : nil
        result = isReply ? "\(record.status)" : nil
        error = record.errorMessage.isEmpty ? nil : record.errorMessage
    }
}
