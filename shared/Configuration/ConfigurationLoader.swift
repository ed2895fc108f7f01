import Foundation
import TOMLKit

/// Merges the sources: flag over environment over file over default. All problems are collected, then reported together.
public struct ConfigurationLoader {
    private let settings: [any AnySetting]
    private let byName: [String: any AnySetting]
    private let foreignSections: Set<String>
    private let environment: [String: String]
    private var entries: [String: Configuration.Entry] = [:]
    private var problems: [String] = []

    /// - Parameter foreignSections: Sections of other processes, which may stand in the same file and are left alone.
    public init(
        settings: [any AnySetting], foreignSections: Set<String>,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) {
        self.settings = settings
        byName = Dictionary(settings.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.foreignSections = foreignSections.subtracting(settings.map(\.section))
        self.environment = environment
    }

    /// - Parameter flags: `KEY=VALUE` each.
    public func load(file: String?, flags: [String]) throws(ConfigurationError) -> Configuration {
        var loader = self
        for setting in settings {
            loader.entries[setting.name] = .init(value: setting.defaultValue, origin: .defaultValue)
        }
        if let file { loader.readFile(file) }
        loader.readEnvironment()
        for flag in flags { loader.readFlag(flag) }
        guard loader.problems.isEmpty else { throw ConfigurationError(problems: loader.problems) }
        return Configuration(settings: settings, entries: loader.entries)
    }

    private mutating func set(_ setting: any AnySetting, _ raw: RawValue, _ origin: Origin) {
        do throws(InvalidValue) {
            entries[setting.name] = .init(value: try setting.parsed(raw), origin: origin)
        } catch {
            let reason = setting.isSecret ? "not a valid \(type(of: setting.defaultValue).typeName)" : error.reason
            problems.append("\(setting.name): \(reason) (\(origin))")
        }
    }

    private mutating func unknown(_ name: String, _ origin: Origin, among candidates: Set<String>? = nil) {
        let candidates = candidates ?? Set(byName.keys)
        let hint = Spelling.nearest(to: name, among: Array(candidates)).map { "; did you mean \($0)?" } ?? ""
        problems.append("\(name): unknown key (\(origin))\(hint)")
    }
}

// MARK: - Flags and environment

extension ConfigurationLoader {
    private mutating func readFlag(_ flag: String) {
        guard let separator = flag.firstIndex(of: "=") else {
            problems.append("--set \(flag): expected KEY=VALUE")
            return
        }
        let name = String(flag[..<separator])
        guard let setting = byName[name] else { return unknown(name, .flag) }
        set(setting, .text(String(flag[flag.index(after: separator)...])), .flag)
    }

    private mutating func readEnvironment() {
        var expected: Set<String> = []
        for setting in settings {
            let name = setting.environmentName
            expected.insert(name)
            if let text = environment[name] { set(setting, .text(text), .environment(name)) }
            guard setting.isSecret, !settings.contains(where: { $0.environmentName == name + "_FILE" }) else {
                continue
            }
            expected.insert(name + "_FILE")
            if let path = environment[name + "_FILE"] { readSecret(setting, path, .environment(name + "_FILE")) }
        }
        checkUnknownVariables(expected)
    }

    /// Addresses for clients that compose/up writes to DIR/env, where their names look like settings.
    private static let clientVariables: Set = ["MARTLET_SWIFT_AUTH_V1"]

    /// Only variables of this process's sections are judged: `MARTLET_ADMIN` and its like belong to the tools.
    private mutating func checkUnknownVariables(_ expected: Set<String>) {
        let prefixes = Set(settings.map { "MARTLET_\($0.section.uppercased())_" })
        for name in environment.keys.sorted()
        where !expected.contains(name) && !Self.clientVariables.contains(name)
            && prefixes.contains(where: name.hasPrefix)
        {
            let hint = Spelling.nearest(to: name, among: Array(expected)).map { "; did you mean \($0)?" } ?? ""
            problems.append("\(name): unknown variable\(hint)")
        }
    }

    private mutating func readSecret(_ setting: any AnySetting, _ path: String, _ origin: Origin) {
        do {
            set(setting, .text(try SecretFile.read(path)), origin)
        } catch {
            problems.append("\(setting.name): \(error) (\(origin))")
        }
    }
}

// MARK: - File

extension ConfigurationLoader {
    private mutating func readFile(_ path: String) {
        guard let data = FileManager.default.contents(atPath: path) else {
            problems.append("\(path): cannot be read")
            return
        }
        do {
            let table = try TOMLTable(string: String(decoding: data, as: UTF8.self))
            for section in table.keys { readSection(section, table[section]?.table, path) }
        } catch let error as TOMLParseError {
            problems.append("\(path): line \(error.source.begin.line): \(error.description)")
        } catch {
            problems.append("\(path): \(error)")
        }
    }

    private mutating func readSection(_ section: String, _ table: TOMLTable?, _ path: String) {
        guard !foreignSections.contains(section) else { return }
        guard let table, settings.contains(where: { $0.section == section }) else {
            return unknown(section, .file(path), among: Set(settings.map(\.section)))
        }
        for key in table.keys {
            guard let setting = byName["\(section).\(key)"] else {
                unknown("\(section).\(key)", .file(path))
                continue
            }
            guard let value = table[key], let raw = RawValue(value) else {
                problems.append("\(setting.name): neither a plain value nor a list of them (file \(path))")
                continue
            }
            if setting.isSecret, !SecretFile.isPrivate(path) {
                problems.append("\(setting.name): is secret, but others may read \(path): chmod 600 it")
            }
            set(setting, raw, .file(path))
        }
    }
}

extension RawValue {
    fileprivate init?(_ value: any TOMLValueConvertible) {
        if let elements = value.array {
            let texts = elements.compactMap(RawValue.scalar)
            guard texts.count == elements.count else { return nil }
            self = .list(texts)
        } else if let text = RawValue.scalar(value) {
            self = .text(text)
        } else {
            return nil
        }
    }

    private static func scalar(_ value: any TOMLValueConvertible) -> String? {
        switch value.type {
        case .string: value.string
        case .int: value.int.map { "\($0)" }
        case .bool: value.bool.map { "\($0)" }
        case .double: value.double.map { "\($0)" }
        default: nil
        }
    }
}
