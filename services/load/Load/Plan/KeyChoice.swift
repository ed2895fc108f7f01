import Foundation

/// How keys are picked out of a fixed number.
enum KeyDistribution: String, Sendable, CaseIterable {
    /// Each with the same chance.
    case uniform
    /// One after the other, over and over, shared by all workers.
    case sequential
    /// Few very often, most rarely: chance ∝ 1 / rank^0.99.
    case zipf
}

/// Small and fast random numbers with a seed, so that a run can be repeated.
struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// The key space of a run and how it is drawn from.
struct KeyChoice: Sendable {
    static let zipfKeysMax = 1_000_000
    private static let zipfExponent = 0.99

    let prefix: String
    let count: Int
    let distribution: KeyDistribution
    /// Zipf: chance of one of the first keys, summed up.
    private let cumulated: [Double]

    init(prefix: String, count: Int, distribution: KeyDistribution) {
        self.prefix = prefix
        self.count = count
        self.distribution = distribution
        var sum = 0.0
        cumulated =
            distribution != .zipf
            ? []
            : (1...min(count, Self.zipfKeysMax)).map { rank in
                sum += pow(Double(rank), -Self.zipfExponent)
                return sum
            }
    }

    /// - Parameter turn: the number of this operation in the whole run.
    func index(turn: Int, _ random: inout SeededRandom) -> Int {
        switch distribution {
        case .sequential: return turn % count
        case .uniform: return Int.random(in: 0..<count, using: &random)
        case .zipf:
            let target = Double.random(in: 0..<(cumulated.last ?? 1), using: &random)
            var low = 0
            var high = cumulated.count - 1
            while low < high {
                let middle = (low + high) / 2
                if cumulated[middle] > target { high = middle } else { low = middle + 1 }
            }
            return low
        }
    }

    /// Eight digits, so that listings have the order of the numbers.
    func key(_ index: Int) -> String {
        let digits = "\(index)"
        return prefix + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    }
}
