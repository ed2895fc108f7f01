/// A value as it stands in one of the sources, before it has a type.
public enum RawValue: Sendable, Equatable {
    case text(String)
    case list([String])
}

/// Why a value was refused: a phrase that follows "KEY:" in a message.
public struct InvalidValue: Error, Sendable, Equatable {
    public let reason: String
    public init(_ reason: String) { self.reason = reason }
}

/// A type that a setting can have.
public protocol SettingValue: Sendable {
    static var typeName: String { get }
    /// Throws ``InvalidValue``.
    init(parsing raw: RawValue) throws(InvalidValue)
    /// How the value is written in TOML.
    var tomlText: String { get }
}

extension RawValue {
    func single(_ type: String) throws(InvalidValue) -> String {
        guard case .text(let text) = self else { throw InvalidValue("expected \(type), not a list") }
        return text
    }
}

extension String: SettingValue {
    public static var typeName: String { "string" }
    public init(parsing raw: RawValue) throws(InvalidValue) { self = try raw.single(Self.typeName) }

    public var tomlText: String {
        var quoted = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case "\0"..<" ": quoted += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

extension Optional: SettingValue where Wrapped == String {
    public static var typeName: String { "string" }
    public init(parsing raw: RawValue) throws(InvalidValue) {
        let text = try raw.single(Self.typeName)
        self = text.isEmpty ? nil : text
    }
    public var tomlText: String { (self ?? "").tomlText }
}

extension Int: SettingValue {
    public static var typeName: String { "integer" }
    public init(parsing raw: RawValue) throws(InvalidValue) {
        let text = try raw.single(Self.typeName)
        guard let value = Int(text.filter { $0 != "_" }) else { throw InvalidValue("\"\(text)\" is not an integer") }
        self = value
    }
    public var tomlText: String { "\(self)" }
}

extension Double: SettingValue {
    public static var typeName: String { "number" }
    public init(parsing raw: RawValue) throws(InvalidValue) {
        let text = try raw.single(Self.typeName)
        guard let value = Double(text), value.isFinite else { throw InvalidValue("\"\(text)\" is not a number") }
        self = value
    }
    public var tomlText: String { "\(self)" }
}

extension Bool: SettingValue {
    public static var typeName: String { "boolean" }
    public init(parsing raw: RawValue) throws(InvalidValue) {
        switch try raw.single(Self.typeName).lowercased() {
        case "true", "yes", "on", "1": self = true
        case "false", "no", "off", "0": self = false
        case let text: throw InvalidValue("\"\(text)\" is not true or false")
        }
    }
    public var tomlText: String { self ? "true" : "false" }
}

/// Elements of a list; in the environment and on the command line they are separated by commas.
extension Array: SettingValue where Element == String {
    public static var typeName: String { "list of strings" }
    public init(parsing raw: RawValue) throws(InvalidValue) {
        switch raw {
        case .list(let elements): self = elements
        case .text(let text):
            self = text.split(separator: ",").map { $0.trimming(while: \.isWhitespace) }.filter { !$0.isEmpty }
        }
    }
    public var tomlText: String { "[" + map(\.tomlText).joined(separator: ", ") + "]" }
}

extension Substring {
    func trimming(while predicate: (Character) -> Bool) -> String {
        var rest = drop(while: predicate)
        while let last = rest.last, predicate(last) { rest.removeLast() }
        return String(rest)
    }
}
