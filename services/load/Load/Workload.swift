import Foundation

/// What one request does.
enum LoadOperation: String, Sendable, CaseIterable {
    case put, get, head, delete, list
}

/// Which requests are made, in which shares.
struct OperationMix: Sendable, Equatable {
    private var shares: [(operation: LoadOperation, upTo: Int)] = []

    /// `put`, or `get=70,put=30` (shares of any sum), or `mixed`: get 60, put 30, head 5, delete 5.
    init?(_ text: String) {
        let text = text == "mixed" ? "get=60,put=30,head=5,delete=5" : text
        var sum = 0
        for item in text.split(separator: ",") {
            let parts = item.split(separator: "=", omittingEmptySubsequences: false)
            guard let operation = parts.first.flatMap({ LoadOperation(rawValue: String($0)) }), parts.count <= 2,
                let share = parts.count == 2 ? Int(parts[1]) : 1, (1...1_000_000).contains(share)
            else { return nil }
            sum += share
            shares.append((operation, sum))
        }
        if shares.isEmpty { return nil }
    }

    func choose(using random: inout some RandomNumberGenerator) -> LoadOperation {
        let point = Int.random(in: 0..<shares.last!.upTo, using: &random)
        return shares.first { point < $0.upTo }!.operation
    }

    /// Whether every request needs objects that exist already.
    var onlyReads: Bool { shares.allSatisfy { $0.operation != .put } }

    static func == (a: Self, b: Self) -> Bool {
        a.shares.elementsEqual(b.shares) { $0.operation == $1.operation && $0.upTo == $1.upTo }
    }
}

/// Sizes of objects: `4096`, `64KiB` or `1KiB..1MiB` (evenly distributed).
struct SizeRange: Sendable, Equatable {
    var range: ClosedRange<Int>

    init?(_ text: String) {
        let ends = text.components(separatedBy: "..")
        guard let low = Self.bytes(ends[0]), let high = Self.bytes(ends.last ?? ""), ends.count <= 2, low <= high else {
            return nil
        }
        range = low...high
    }

    func choose(using random: inout some RandomNumberGenerator) -> Int { Int.random(in: range, using: &random) }

    /// Largest object of this tool: it is made in memory.
    static let sizeMax = 1 << 30

    static func bytes(_ text: String) -> Int? {
        let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("K", 1 << 10), ("M", 1 << 20), ("", 1)]
        for (suffix, factor) in units where text.hasSuffix(suffix) {
            guard let number = Int(text.dropLast(suffix.count)), number >= 0 else { continue }
            let (size, overflow) = number.multipliedReportingOverflow(by: factor)
            return overflow || size > sizeMax ? nil : size
        }
        return nil
    }
}

/// How keys are picked from `keys` of them.
enum KeyChoice: String, Sendable, CaseIterable {
    case uniform
    /// Few keys get most requests: the k-th most popular in proportion to 1/k.
    case zipf
    /// One after the other.
    case sequential
}

struct KeyChooser: Sendable {
    let choice: KeyChoice
    let keys: Int
    private var next: Int
    private let step: Int
    private let harmonic: [Double]

    /// - Parameters:
    ///   - worker: each worker begins at another place of a sequence and strides by the number of workers.
    init(_ choice: KeyChoice, keys: Int, worker: Int, workers: Int) {
        self.choice = choice
        self.keys = keys
        next = worker
        step = workers
        var sum = 0.0
        harmonic =
            choice == .zipf
            ? (1...min(keys, 100_000)).map {
                sum += 1 / Double($0)
                return sum
            } : []
    }

    mutating func choose(using random: inout some RandomNumberGenerator) -> Int {
        switch choice {
        case .uniform: return Int.random(in: 0..<keys, using: &random)
        case .sequential:
            defer { next += step }
            return next % keys
        case .zipf:
            let point = Double.random(in: 0..<harmonic.last!, using: &random)
            var low = 0
            var high = harmonic.count - 1
            while low < high {
                let middle = (low + high) / 2
                if harmonic[middle] > point { high = middle } else { low = middle + 1 }
            }
            return low
        }
    }
}
