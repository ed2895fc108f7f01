import Model
import Register

/// A record for tests: a word, or a tombstone.
struct Word: RegisterRecord, ExpressibleByStringLiteral {
    var text: String?
    var isTombstone: Bool { text == nil }
    init(stringLiteral text: String) { self.text = text }
    init(text: String?) { self.text = text }
    static let tombstone = Word(text: nil)
}

typealias State = RegisterState<Word>

let (a, b, c): (NodeName, NodeName, NodeName) = ("a", "b", "c")
let (d, e): (NodeName, NodeName) = ("d", "e")

func ballot(_ counter: UInt64, _ writer: UInt64 = 1) -> Ballot { Ballot(counter: counter, writer: writer) }

func operation(_ number: UInt64) -> OperationID { OperationID(high: 0, low: number) }

/// A state under ballot `counter.writer`, at the place `sequence`, led to by these operations.
func state(
    _ word: Word, _ counter: UInt64, writer: UInt64 = 9, sequence: UInt64 = 1, operations: [UInt64] = [99]
) -> State {
    State(
        tag: ballot(counter, writer), sequence: sequence, recentOperations: operations.map(operation), record: word)
}
