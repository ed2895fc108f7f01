/// Finds what somebody probably meant.
enum Spelling {
    /// The candidate with the fewest edits, if they are few for its length.
    static func nearest(to word: String, among candidates: [String]) -> String? {
        candidates.map { (name: $0, edits: distance(word, $0)) }
            .min { ($0.edits, $0.name) < ($1.edits, $1.name) }
            .flatMap { $0.edits <= max(2, word.count / 4) ? $0.name : nil }
    }

    /// Levenshtein's distance: insertions, removals and replacements.
    static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.lowercased()), Array(b.lowercased()))
        var previous = Array(0...b.count)
        for (row, letter) in a.enumerated() {
            var current = [row + 1]
            for (column, other) in b.enumerated() {
                current.append(
                    min(previous[column] + (letter == other ? 0 : 1), previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous[b.count]
    }
}
