import Foundation
import Logging

/// Formats one event as one line and hands it on.
struct LineLogHandler: LogHandler {
    let label: String
    let format: LogFormat
    let node: String
    let write: @Sendable (String) -> Void
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private var ownLevel: Logger.Level?

    init(label: String, format: LogFormat, node: String, write: @escaping @Sendable (String) -> Void) {
        self.label = label
        self.format = format
        self.node = node
        self.write = write
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? LogSetup.level }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata
        if let provided = metadataProvider?.get() { fields.merge(provided) { _, new in new } }
        if let given = event.metadata { fields.merge(given) { _, new in new } }
        if let error = event.error { fields["error"] = "\(error)" }
        let now = Self.timestamp()
        write(format == .json ? json(event, fields, now) : text(event, fields, now))
    }

    private func json(_ event: LogEvent, _ fields: Logger.Metadata, _ now: String) -> String {
        var line = "{\"time\":\"\(now)\",\"level\":\"\(event.level.rawValue)\""
        if !node.isEmpty { line += ",\"node\":\(JSONText.quoted(node))" }
        line += ",\"logger\":\(JSONText.quoted(label)),\"message\":\(JSONText.quoted(event.message.description))"
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            line += ",\(JSONText.quoted(Self.reserved.contains(key) ? key + "_" : key)):\(JSONText.value(value))"
        }
        return line + "}\n"
    }

    private static let reserved: Set<String> = ["time", "level", "node", "logger", "message"]

    private func text(_ event: LogEvent, _ fields: Logger.Metadata, _ now: String) -> String {
        var line = "\(now) \(event.level.rawValue.uppercased()) \(label): \(event.message)"
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(value)" }
        return line.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\\n") + "\n"
    }

    /// UTC with milliseconds.
    static func timestamp() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        gmtime_r(&now.tv_sec, &parts)
        func padded(_ value: Int, _ width: Int) -> String {
            let digits = "\(value)"
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = "\(parts.tm_year + 1900)-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))"
        let time = "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
        return "\(date)T\(time).\(padded(now.tv_nsec / 1_000_000, 3))Z"
    }
}

/// JSON for log lines, without building objects first.
enum JSONText {
    static func value(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text): quoted(text)
        case .stringConvertible(let value): quoted(value.description)
        case .array(let values): "[" + values.map(self.value).joined(separator: ",") + "]"
        case .dictionary(let fields):
            "{"
                + fields.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(self.value($0.value))" }
                .joined(separator: ",") + "}"
        }
    }

    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\0"..<" ":
                result += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
