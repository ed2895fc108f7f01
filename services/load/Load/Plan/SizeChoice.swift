import ArgumentParser
import Configuration
import Foundation

/// The sizes of the objects that a run puts: ranges with shares, even within a range.
struct SizeChoice: Sendable, Equatable {
    struct Part: Sendable, Equatable {
        var sizes: ClosedRange<Int>
        var weight: Int
    }

    let parts: [Part]
    private let total: Int

    init(_ parts: [Part]) {
        precondition(!parts.isEmpty && parts.allSatisfy { $0.weight > 0 })
        self.parts = parts
        total = parts.reduce(0) { $0 + $1.weight }
    }

    var largest: Int { parts.map(\.sizes.upperBound).max() ?? 0 }

    func size(_ random: inout SeededRandom) -> Int {
        guard parts.count > 1 else { return Int.random(in: parts[0].sizes, using: &random) }
        var rest = Int.random(in: 0..<total, using: &random)
        for part in parts {
            if rest < part.weight { return Int.random(in: part.sizes, using: &random) }
            rest -= part.weight
        }
        return Int.random(in: parts[0].sizes, using: &random)
    }

    /// `4KiB`, `1KiB..1MiB`, or several of these with shares: `4KiB=80,1MiB..8MiB=20`.
    init(parsing text: String) throws(InvalidValue) {
        var parts: [Part] = []
        let texts = text.split(separator: ",", omittingEmptySubsequences: false)
        for part in texts {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false)
            guard sides.count == 2 || texts.count == 1 && sides.count == 1,
                let weight = sides.count == 2 ? Int(sides[1]) : 1, (1...1_000_000).contains(weight)
            else { throw InvalidValue("\"\(text)\" is not a size, low..high, or several of them with shares") }
            parts.append(Part(sizes: try Self.range(String(sides[0])), weight: weight))
        }
        self.init(parts)
    }

    private static func range(_ text: String) throws(InvalidValue) -> ClosedRange<Int> {
        let bounds = text.components(separatedBy: "..")
        let low = try ByteSize(parsing: .text(bounds[0])).bytes
        let high = bounds.count == 2 ? try ByteSize(parsing: .text(bounds[1])).bytes : low
        guard bounds.count <= 2, low <= high else { throw InvalidValue("\"\(text)\" is not a size or low..high") }
        return low...high
    }
}
