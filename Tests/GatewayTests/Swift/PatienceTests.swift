import Testing

@testable import Gateway

@Suite("Waiting for a task, but not for ever")
struct PatienceTests {
    @Test("Who has no more patience goes on, and so does the task")
    func impatience() async {
        let (signals, release) = AsyncStream.makeStream(of: Int.self)
        let task = Task {
            for await signal in signals { return signal }
            return 0
        }
        #expect(await outcome(of: task, within: .milliseconds(1)) == nil)
        release.yield(7)
        #expect(await outcome(of: task, within: .seconds(60)) == 7)
    }

    @Test("A task that fails has no outcome")
    func failure() async {
        let task = Task<Int, any Error> { throw SwiftError(503) }
        #expect(await outcome(of: task, within: .seconds(60)) == nil)
    }
}
