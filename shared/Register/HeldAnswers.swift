import Model

/// Answers that wait until something is durable. The shell puts every answer here whose decision names a condition,
/// and sends what comes out, in that order.
public struct HeldAnswers<Answer> {
    private var durableCeiling: UInt64
    private var byAppend: [AppendTicket: [(ceiling: UInt64?, answer: Answer)]] = [:]
    private var byCeiling: [(ceiling: UInt64, answer: Answer)] = []

    /// `ceiling`: the durable one, as `RegisterReplica` was given it.
    public init(ceiling: UInt64) { durableCeiling = ceiling }

    public var isEmpty: Bool { byAppend.isEmpty && byCeiling.isEmpty }

    /// The answer itself when it may leave at once, else nil: it is kept. An append that is named must not have been
    /// reported as synced yet, so take the decision and call this in one critical section.
    public mutating func hold(_ answer: Answer, until durability: Durability) -> Answer? {
        if let append = durability.append {
            byAppend[append, default: []].append((durability.ceiling, answer))
            return nil
        }
        return holdForCeiling(answer, durability.ceiling)
    }

    /// The append is durable: these may leave.
    public mutating func synced(_ ticket: AppendTicket) -> [Answer] {
        (byAppend.removeValue(forKey: ticket) ?? []).compactMap { holdForCeiling($0.answer, $0.ceiling) }
    }

    /// The ceiling is durable at this counter: these may leave.
    public mutating func ceilingRaised(to counter: UInt64) -> [Answer] {
        durableCeiling = max(durableCeiling, counter)
        let free = byCeiling.filter { $0.ceiling <= durableCeiling }.map(\.answer)
        byCeiling.removeAll { $0.ceiling <= durableCeiling }
        return free
    }

    /// The disk has failed: nothing will become durable any more. These are to be answered with an error.
    public mutating func abandonAll() -> [Answer] {
        let all = byAppend.sorted { $0.key < $1.key }.flatMap { $0.value.map(\.answer) } + byCeiling.map(\.answer)
        byAppend = [:]
        byCeiling = []
        return all
    }

    private mutating func holdForCeiling(_ answer: Answer, _ ceiling: UInt64?) -> Answer? {
        guard let ceiling, ceiling > durableCeiling else { return answer }
        byCeiling.append((ceiling, answer))
        return nil
    }
}
