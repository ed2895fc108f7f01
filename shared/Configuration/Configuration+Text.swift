extension Configuration {
    /// TOML with the origin of each value as a comment; secrets masked. What `--print-config` shows.
    public func printed() -> String {
        var lines: [String] = []
        for (section, settings) in sections {
            lines.append("\(lines.isEmpty ? "" : "\n")[\(section)]")
            for setting in settings {
                let key = setting.name.dropFirst(section.count + 1)
                lines.append("\(key) = \(shown(setting))  # \(origin(of: setting))")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A table of all keys with their defaults, for the documentation.
    public func markdown() -> String {
        var lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
        for setting in settings {
            let range = setting.rangeText.isEmpty ? "" : " (\(setting.rangeText))"
            let type = type(of: setting.defaultValue).typeName
            lines.append(
                "| `\(setting.name)` | \(type)\(range) | `\(setting.defaultValue.tomlText)` | \(setting.help) |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private var sections: [(String, [any AnySetting])] {
        var order: [String] = []
        for setting in settings where !order.contains(setting.section) { order.append(setting.section) }
        return order.map { section in (section, settings.filter { $0.section == section }) }
    }

    private func shown(_ setting: any AnySetting) -> String {
        guard let entry = entries[setting.name] else { return "" }
        let text = entry.value.tomlText
        return setting.isSecret && text != "\"\"" ? "\"********\"" : text
    }
}
