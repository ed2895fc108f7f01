/// One configuration key: `section.key` in dots, a table and a key in TOML.
///
/// Services declare theirs as constants and list them:
/// ```swift
/// public enum GatewaySettings {
///     public static let listen = Setting("gateway.listen", default: "127.0.0.1:8080", help: "Where S3 is served.")
///     public static let all: [any AnySetting] = [listen]
/// }
/// ```
public struct Setting<Value: SettingValue>: AnySetting {
    public let name: String
    public let help: String
    public let isSecret: Bool
    public let defaultValue: Value
    /// For people: what values are allowed; empty when all are.
    public let rangeText: String
    private let validate: @Sendable (Value) -> String?

    /// - Parameters:
    ///   - secret: Masked when printed; may be given as `…_FILE` in the environment; files that hold it must not be
    ///     readable by others.
    ///   - validate: Answers what is wrong with a value, or nil.
    public init(
        _ name: String, default defaultValue: Value, help: String, secret: Bool = false, range: String = "",
        validate: @escaping @Sendable (Value) -> String? = { _ in nil }
    ) {
        precondition(name.split(separator: ".").count == 2, "a setting is named section.key: \(name)")
        self.name = name
        self.help = help
        self.isSecret = secret
        self.defaultValue = defaultValue
        self.rangeText = range
        self.validate = validate
    }

    func parse(_ raw: RawValue) throws(InvalidValue) -> Value {
        let value = try Value(parsing: raw)
        if let reason = validate(value) { throw InvalidValue(reason) }
        return value
    }
}

extension Setting where Value: Comparable {
    /// A setting whose value must be within `allowed`.
    public init(_ name: String, default defaultValue: Value, in allowed: ClosedRange<Value>, help: String) {
        let range = "\(allowed.lowerBound.plainText) to \(allowed.upperBound.plainText)"
        self.init(name, default: defaultValue, help: help, range: range) { value in
            allowed.contains(value) ? nil : "\(value.plainText) is outside \(range)"
        }
    }
}

extension Setting where Value == String {
    /// A setting whose value is one of a few words.
    public init(_ name: String, default defaultValue: String, oneOf words: [String], help: String) {
        let range = words.joined(separator: ", ")
        self.init(name, default: defaultValue, help: help, range: range) { value in
            words.contains(value) ? nil : "\"\(value)\" is not one of \(range)"
        }
    }
}

extension SettingValue {
    /// Without the quotes of TOML.
    var plainText: String {
        let text = tomlText
        return text.hasPrefix("\"") ? String(text.dropFirst().dropLast()) : text
    }
}

/// A setting of any type: what lists of settings hold.
public protocol AnySetting: Sendable {
    associatedtype Value: SettingValue
    var name: String { get }
    var help: String { get }
    var isSecret: Bool { get }
    var defaultValue: Value { get }
    var rangeText: String { get }
}

extension AnySetting {
    public var section: String { String(name.prefix { $0 != "." }) }
    /// `gateway.listen` → `MARTLET_GATEWAY_LISTEN`
    public var environmentName: String {
        "MARTLET_" + name.uppercased().map { $0 == "." ? "_" : String($0) }.joined()
    }

    func parsed(_ raw: RawValue) throws(InvalidValue) -> any SettingValue {
        guard let setting = self as? Setting<Value> else { preconditionFailure("Setting is the only AnySetting") }
        return try setting.parse(raw)
    }
}
