/// What a check of one key has found.
public enum HistoryVerdict: Sendable, Equatable {
    case linearizable
    /// No order of the operations explains all answers.
    case violation(String)
    /// The search was given up: the history is too entangled for its budget.
    case undecided
}

/// Checks histories key by key: each key is a register of its own.
public enum HistoryChecker {
    /// The verdicts that are not `linearizable`, by key. Empty: the whole history is linearizable.
    public static func check(
        _ history: [HistoryOperation], budget: Int = SearchChecker.defaultBudget
    ) -> [(key: String, verdict: HistoryVerdict)] {
        Dictionary(grouping: history, by: \.key).sorted { $0.key < $1.key }.compactMap { key, operations in
            let verdict = checkKey(operations, budget: budget)
            return verdict == .linearizable ? nil : (key, verdict)
        }
    }

    /// The operations of one key: by zones where that is possible, else by search.
    public static func checkKey(
        _ operations: [HistoryOperation], budget: Int = SearchChecker.defaultBudget
    ) -> HistoryVerdict {
        ZoneChecker.check(operations) ?? SearchChecker.check(operations, budget: budget)
    }
}
