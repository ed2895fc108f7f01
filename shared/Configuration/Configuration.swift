/// Where a value came from; later cases win over earlier ones.
public enum Origin: Sendable, Equatable, CustomStringConvertible {
    case defaultValue
    case file(String)
    case environment(String)
    case flag

    public var description: String {
        switch self {
        case .defaultValue: "default"
        case .file(let path): "file \(path)"
        case .environment(let name): "environment \(name)"
        case .flag: "flag --set"
        }
    }
}

/// The settings of one process, read once at start and checked as a whole.
public struct Configuration: Sendable {
    struct Entry: Sendable {
        var value: any SettingValue
        var origin: Origin
    }

    /// What this process understands, in the order of declaration.
    public let settings: [any AnySetting]
    var entries: [String: Entry]

    /// The value of a setting. It must be among ``settings``.
    public subscript<Value>(_ setting: Setting<Value>) -> Value {
        guard let value = entries[setting.name]?.value as? Value else {
            preconditionFailure("\(setting.name) is not among the settings of this process")
        }
        return value
    }

    /// Where the value of a setting came from.
    public func origin(of setting: any AnySetting) -> Origin { entries[setting.name]?.origin ?? .defaultValue }

    /// All settings at their defaults; for tests, with a few changed: `["log.level": "debug"]`.
    public init(settings: [any AnySetting], overrides: [String: String] = [:]) throws {
        self = try ConfigurationLoader(settings: settings, foreignSections: [], environment: [:]).load(
            file: nil, flags: overrides.map { "\($0.key)=\($0.value)" })
    }

    init(settings: [any AnySetting], entries: [String: Entry]) {
        self.settings = settings
        self.entries = entries
    }
}

/// Everything that is wrong with a configuration, one line a problem.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    public let problems: [String]
    public var description: String { problems.joined(separator: "\n") }
}
