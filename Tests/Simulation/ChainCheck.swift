import Register

/// Every answer shows a prefix of one chain of operations. That says more than linearizability of the values: an
/// operation that took effect twice is found even when nobody saw it.
struct ChainCheck {
    private let observations: [ClientShell.Observation]
    private let longest: [Int]

    init(_ observations: [ClientShell.Observation]) {
        self.observations = observations.sorted { $0.chain.count < $1.chain.count }
        longest = self.observations.last?.chain ?? []
    }

    func violation() -> String? {
        for observation in observations where !longest.starts(with: observation.chain) {
            return "decided chains fork: \(observation.chain) \(longest)"
        }
        if Set(longest).count != longest.count { return "an operation took effect twice: \(longest)" }
        for write in observations where write.isWrite && !longest.contains(write.operation) {
            return "acknowledged write \(write.operation) is not in \(longest)"
        }
        return wentBack()
    }

    /// What one answer showed must be known to everybody who began after it.
    private func wentBack() -> String? {
        var known = 0
        let ends = observations.sorted { $0.returned < $1.returned }
        var next = ends.startIndex
        for observation in observations.sorted(by: { $0.call < $1.call }) {
            while next < ends.endIndex, ends[next].returned < observation.call {
                known = max(known, ends[next].chain.count)
                next += 1
            }
            if observation.chain.count < known { return "operation \(observation.operation) saw an older state" }
            let place = observation.isWrite ? longest.firstIndex(of: observation.operation) : nil
            if let place, place < known { return "operation \(observation.operation) stands before its time" }
        }
        return nil
    }

    /// Whether a replica that knows of these operations knows everything that was answered.
    func isKnown(to operations: [Int]) -> Bool { operations.starts(with: longest) }
}
