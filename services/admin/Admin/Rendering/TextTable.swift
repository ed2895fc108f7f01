/// A table in the manner of leofs-adm: columns parted by `|`, rules of `-` and `+`.
struct TextTable {
    enum Alignment { case left, right, center }

    struct Column {
        var title: String
        var width: Int
        var alignment: Alignment

        init(_ title: String, width: Int = 0, _ alignment: Alignment = .left) {
            self.title = title
            self.width = width
            self.alignment = alignment
        }
    }

    var columns: [Column]
    var rows: [[String]]
    /// A rule above the titles and below the last row too.
    var framed = true

    /// Lines parted by line ends, the last one without.
    var text: String {
        let widths = columns.indices.map { index in
            max(columns[index].width, columns[index].title.count, rows.map { $0[index].count }.max() ?? 0)
        }
        let rule = widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "+")
        var lines = [line(columns.map(\.title), widths, center: framed), rule]
        lines += rows.map { line($0, widths, center: false) }
        if framed { lines = [rule] + lines + [rule] }
        return lines.joined(separator: "\n")
    }

    private func line(_ cells: [String], _ widths: [Int], center: Bool) -> String {
        let padded = cells.indices.map { index in
            " " + pad(cells[index], widths[index], center ? .center : columns[index].alignment) + " "
        }
        return trimmingEnd(padded.joined(separator: "|"))
    }
}

/// Fills up with blanks to a width.
func pad(_ text: String, _ width: Int, _ alignment: TextTable.Alignment) -> String {
    let missing = max(0, width - text.count)
    let left =
        switch alignment {
        case .left: 0
        case .right: missing
        case .center: missing / 2
        }
    return String(repeating: " ", count: left) + text + String(repeating: " ", count: missing - left)
}

func trimmingEnd(_ line: String) -> String {
    var line = line
    while line.last == " " { line.removeLast() }
    return line
}
