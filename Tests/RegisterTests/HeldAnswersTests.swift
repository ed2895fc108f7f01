import Model
import Testing

@testable import Register

@Suite struct HeldAnswersTests {
    private var held = HeldAnswers<Int>(ceiling: 10)
    private let first = AppendTicket(number: 1)
    private let second = AppendTicket(number: 2)

    @Test("what waits for nothing leaves at once")
    mutating func free() {
        #expect(held.hold(1, until: .nothing) == 1)
        #expect(held.hold(2, until: Durability(ceiling: 10)) == 2)
        #expect(held.isEmpty)
    }

    @Test("an append frees its own answers, in their order")
    mutating func append() {
        #expect(held.hold(1, until: Durability(append: first)) == nil)
        #expect(held.hold(2, until: Durability(append: second)) == nil)
        #expect(held.hold(3, until: Durability(append: first)) == nil)
        #expect(held.synced(first) == [1, 3])
        #expect(held.synced(first) == [])
        #expect(held.synced(second) == [2])
    }

    @Test("an answer that waits for both leaves after both", arguments: [true, false])
    mutating func both(ceilingFirst: Bool) {
        #expect(held.hold(1, until: Durability(append: first, ceiling: 11)) == nil)
        if ceilingFirst {
            #expect(held.ceilingRaised(to: 20) == [])
            #expect(held.synced(first) == [1])
        } else {
            #expect(held.synced(first) == [])
            #expect(held.ceilingRaised(to: 20) == [1])
        }
        #expect(held.isEmpty)
    }

    @Test("a ceiling frees what is below it and never sinks")
    mutating func ceiling() {
        #expect(held.hold(1, until: Durability(ceiling: 20)) == nil)
        #expect(held.hold(2, until: Durability(ceiling: 30)) == nil)
        #expect(held.ceilingRaised(to: 20) == [1])
        #expect(held.ceilingRaised(to: 5) == [])
        #expect(held.hold(3, until: Durability(ceiling: 20)) == 3)
    }

    @Test("when the disk has failed everything is given back")
    mutating func abandon() {
        _ = held.hold(1, until: Durability(append: second))
        _ = held.hold(2, until: Durability(append: first))
        _ = held.hold(3, until: Durability(ceiling: 20))
        #expect(held.abandonAll() == [2, 1, 3])
        #expect(held.isEmpty)
    }
}
