/// Decides whether a history of one key is linearizable by searching for an explaining order.
///
/// After Wing & Gong (1993) with Lowe's memory of visited configurations (2017): which operations are placed, and what
/// the register then holds. An operation that only looks and agrees with the register is placed at once, without an
/// alternative: it can stand before whatever else would follow. Operations of unknown outcome are what makes a search
/// long, so one is placed only where it changes the register, and of several with the same effect only the first.
public enum SearchChecker {
    public static let defaultBudget = 2_000_000

    /// `budget`: configurations that are visited before giving up.
    public static func check(_ operations: [HistoryOperation], budget: Int = defaultBudget) -> HistoryVerdict {
        var search = HistorySearch(operations)
        return search.run(budget: budget)
    }
}

private struct HistorySearch {
    /// What an operation does with the register; values are numbers, 0 is absence.
    private enum Action: Hashable {
        case read(Int)
        case write(Int)
        case writeIf(condition: Int, Int)
        case refused(condition: Int)
        /// A conditional put whose answer is unknown.
        case maybeWriteIf(condition: Int, Int)
    }

    private struct Item {
        var action: Action
        var call: Int64
        var deadline: Int64
        var operation: HistoryOperation
    }

    private struct Configuration: Hashable {
        var placed: [UInt64]
        var value: Int
    }

    /// One placed operation; on the way back the next candidate takes its turn.
    private struct Step {
        var candidates: [Int]
        var next: Int
        var item: Int
        var valueBefore: Int
    }

    private var items: [Item]
    private var placed: [UInt64]
    private var placedCount = 0
    private var value = 0
    /// All answered items before this one are placed.
    private var firstOpen = 0
    private var visited = Set<Configuration>()
    /// Items up to here have an answer; those after are of unknown outcome.
    private let answered: Int
    /// The operation that could not be placed when most others were: what a violation is reported with.
    private var deepest = (placed: 0, item: 0)

    /// Words of memory for visited configurations, whatever the budget.
    private static let memoryMax = 1 << 26

    init(_ operations: [HistoryOperation]) {
        let operations = operations.filter { !$0.isSilent }.sorted { $0.call < $1.call }
        let numbers = Self.numbers(of: operations)
        func number(_ value: String?) -> Int { value.map { numbers[$0]! } ?? 0 }
        let items = operations.map { operation in
            Item(
                action: Self.action(operation, number), call: operation.call, deadline: operation.deadline,
                operation: operation)
        }
        let known = items.filter { $0.deadline != .max }
        self.items = known + items.filter { $0.deadline == .max }
        answered = known.count
        placed = Array(repeating: 0, count: items.count / 64 + 1)
    }

    /// Numbers for values. Those that nobody has seen and that may never have been written are all alike: 1.
    private static func numbers(of operations: [HistoryOperation]) -> [String: Int] {
        var seen = Set<String>()
        for operation in operations {
            if let value = operation.value, operation.deadline != .max { seen.insert(value) }
            if case .holds(let expected)? = operation.condition { seen.insert(expected) }
        }
        var numbers: [String: Int] = [:]
        for operation in operations {
            if let value = operation.value, !seen.contains(value) { numbers[value] = 1 }
        }
        for (index, value) in seen.sorted().enumerated() { numbers[value] = index + 2 }
        return numbers
    }

    private static func action(_ operation: HistoryOperation, _ number: (String?) -> Int) -> Action {
        let value = number(operation.value)
        switch operation.kind {
        case .get: return .read(value)
        case .put: return .write(value)
        case .delete: return .write(0)
        case .conditionalPut:
            let condition =
                switch operation.condition {
                case .holds(let expected)?: number(expected)
                case .absent?, nil: 0
                }
            return switch operation.outcome {
            case .ok: .writeIf(condition: condition, value)
            case .refused: .refused(condition: condition)
            case .failed, .unknown: .maybeWriteIf(condition: condition, value)
            }
        }
    }

    // MARK: - Search

    mutating func run(budget: Int) -> HistoryVerdict {
        if isComplete { return .linearizable }
        var steps: [Step] = []
        var candidates = self.candidates()
        var next = 0
        while !isComplete {
            if let (item, after, index) = firstFitting(candidates, from: next) {
                steps.append(Step(candidates: candidates, next: index + 1, item: item, valueBefore: value))
                place(item, after)
                if visited.count > min(budget, Self.memoryMax / placed.count) { return .undecided }
                if visited.insert(Configuration(placed: placed, value: value)).inserted {
                    candidates = self.candidates()
                    next = 0
                    continue
                }
            }
            guard let step = steps.popLast() else { return violation }
            takeBack(step)
            candidates = step.candidates
            next = step.next
        }
        return .linearizable
    }

    private var violation: HistoryVerdict { .violation("no order explains \(items[deepest.item].operation)") }

    private var isComplete: Bool { firstOpen == answered }

    /// Open items that may come next: none that is open must come before them. A single one if it can come at once.
    private mutating func candidates() -> [Int] {
        var earliest = Int64.max
        var earliestItem = 0
        var found: [Int] = []
        for index in firstOpen..<answered where !isPlaced(index) {
            if items[index].call > earliest { break }
            if items[index].deadline < earliest { (earliest, earliestItem) = (items[index].deadline, index) }
            found.append(index)
        }
        if placedCount >= deepest.placed { deepest = (placedCount, earliestItem) }
        // An item was let in before a later one turned out to end before it began.
        found.removeAll { items[$0].call > earliest }
        if let look = found.first(where: { onlyLooks($0) && apply($0) != nil }) { return [look] }
        var effects = Set<Action>()
        for index in answered..<items.count where items[index].call <= earliest && !isPlaced(index) {
            if apply(index) != value, effects.insert(items[index].action).inserted { found.append(index) }
        }
        return found
    }

    private func firstFitting(_ candidates: [Int], from start: Int) -> (item: Int, after: Int, index: Int)? {
        for index in candidates.indices.dropFirst(start) {
            if let after = apply(candidates[index]) { return (candidates[index], after, index) }
        }
        return nil
    }

    private func onlyLooks(_ index: Int) -> Bool {
        switch items[index].action {
        case .read, .refused: true
        case .write, .writeIf, .maybeWriteIf: false
        }
    }

    /// What the register holds after the item; nil: its answer contradicts what it holds before.
    private func apply(_ index: Int) -> Int? {
        switch items[index].action {
        case .read(let seen): seen == value ? value : nil
        case .write(let new): new
        case .writeIf(let condition, let new): condition == value ? new : nil
        case .refused(let condition): condition == value ? nil : value
        case .maybeWriteIf(let condition, let new): condition == value ? new : value
        }
    }

    private func isPlaced(_ index: Int) -> Bool { placed[index >> 6] & 1 << UInt64(index & 63) != 0 }

    private mutating func place(_ index: Int, _ after: Int) {
        placed[index >> 6] |= 1 << UInt64(index & 63)
        placedCount += 1
        value = after
        while firstOpen < answered, isPlaced(firstOpen) { firstOpen += 1 }
    }

    private mutating func takeBack(_ step: Step) {
        placed[step.item >> 6] &= ~(1 << UInt64(step.item & 63))
        placedCount -= 1
        value = step.valueBefore
        if step.item < answered { firstOpen = min(firstOpen, step.item) }
    }
}
