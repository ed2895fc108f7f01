import Foundation

/// The copies of one object as a Markov chain: they are lost one by one and rebuilt one after the other, and the object
/// is lost with the last of them. See docs/internals/durability.md.
struct CopyChain: Sendable, Equatable {
    var copies: Int
    /// How often a copy is lost, per year.
    var lossesPerYear: Double
    /// How long a lost copy is missing, on average.
    var rebuildYears: Double

    static let secondsPerYear = 365.25 * 86_400
    static let ninesMax = 99.0

    /// - Parameters:
    ///   - annualFailureRate: The share of disks that fail in a year.
    ///   - repairSeconds: From the failure of a disk until its objects have all their copies again.
    ///   - corruptionsPerYear: How often a copy rots unnoticed.
    ///   - scrubSeconds: Time between two scrubs: rot is found after half of it on average.
    init(
        copies: Int, annualFailureRate: Double, repairSeconds: Double, corruptionsPerYear: Double = 0,
        scrubSeconds: Double = 0
    ) {
        let failures = -log1p(-annualFailureRate)
        let missing = failures * repairSeconds + corruptionsPerYear * scrubSeconds / 2
        self.copies = copies
        lossesPerYear = failures + corruptionsPerYear
        rebuildYears = lossesPerYear > 0 ? missing / lossesPerYear / Self.secondsPerYear : 0
    }

    /// Mean time until the last copy is lost. The time from i lost copies to i + 1 is one loss among those left, and
    /// again from i - 1 for every rebuild that comes first.
    var meanYearsToLoss: Double {
        guard copies > 0, lossesPerYear > 0 else { return copies > 0 ? .infinity : 0 }
        guard rebuildYears > 0 else { return copies > 1 ? .infinity : 1 / lossesPerYear }
        var step = 0.0
        var sum = 0.0
        for lost in 0..<copies {
            let losses = Double(copies - lost) * lossesPerYear
            step = lost == 0 ? 1 / losses : 1 / losses + step / (rebuildYears * losses)
            sum += step
        }
        return sum
    }

    /// The probability that the object is lost within a year.
    var annualLoss: Double { -expm1(-1 / meanYearsToLoss) }

    /// 0.001 are three nines. Never more than `ninesMax`: beyond it the number has no meaning.
    static func nines(ofLoss probability: Double) -> Double {
        probability > 0 ? min(ninesMax, -log10(probability)) : ninesMax
    }
}

extension CopyChain {
    /// The longest repair with which no more than this is lost in a year; nil: not even with the quickest.
    static func repairSecondsAllowed(
        forLoss goal: Double, copies: Int, annualFailureRate: Double, corruptionsPerYear: Double, scrubSeconds: Double
    ) -> Double? {
        func reaches(_ seconds: Double) -> Bool {
            CopyChain(
                copies: copies, annualFailureRate: annualFailureRate, repairSeconds: seconds,
                corruptionsPerYear: corruptionsPerYear, scrubSeconds: scrubSeconds
            ).annualLoss <= goal
        }
        var (low, high) = (0.001, 10 * secondsPerYear)
        guard reaches(low) else { return nil }
        guard !reaches(high) else { return high }
        // Halves the interval on a logarithmic scale: 60 steps are more than a double can tell apart.
        for _ in 0..<60 {
            let middle = (low * high).squareRoot()
            if reaches(middle) { low = middle } else { high = middle }
        }
        return low
    }
}
