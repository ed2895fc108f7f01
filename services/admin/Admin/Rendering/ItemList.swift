/// Named values in sections, right-aligned names, as leofs-adm shows settings.
struct ItemList {
    struct Section {
        var title: String
        var items: [(name: String, value: String)]
    }

    var sections: [Section]
    var valueWidth = 10

    var text: String {
        let names = sections.flatMap { $0.items.map(\.name.count) }
        let width = max(names.max() ?? 0, 20) + 1
        let rule = String(repeating: "-", count: width + 1) + "+" + String(repeating: "-", count: valueWidth)
        var lines = [rule, " " + pad("Item", width - 1, .left) + " | Value", rule]
        for section in sections {
            lines += [" " + section.title, rule]
            lines += section.items.map { trimmingEnd(pad($0.name, width, .right) + " | " + $0.value) }
            lines.append(rule)
        }
        return lines.joined(separator: "\n")
    }
}
