import Model
import Testing

@testable import ObjectAccess

@Suite struct PeerSuspicionTests {
    private let nodes: [NodeName] = ["a", "b", "c"]
    private let start = ContinuousClock.now

    private func ordered(_ suspicion: inout PeerSuspicion, at seconds: Double, absent: Set<NodeName> = []) -> [NodeName]
    {
        suspicion.ordered(nodes, absent: absent, now: start + .seconds(seconds))
    }

    @Test("Who failed is asked last until an answer came in good time")
    func failure() {
        var suspicion = PeerSuspicion(trialInterval: .seconds(2))
        suspicion.failed("a", now: start)
        #expect(ordered(&suspicion, at: 1) == ["b", "c", "a"])
        #expect(suspicion.isSuspect("a"))
        suspicion.answered("a")
        #expect(ordered(&suspicion, at: 1) == nodes)
        #expect(suspicion.isEmpty)
    }

    @Test("One request at a time tries a suspect")
    func trial() {
        var suspicion = PeerSuspicion(trialInterval: .seconds(2))
        suspicion.failed("a", now: start)
        let orders = [1.9, 2, 2.1, 3.9, 4, 4.1].map { ordered(&suspicion, at: $0).first == "a" }
        #expect(orders == [false, true, false, false, true, false])
    }

    @Test("A suspect that would not be asked first is not tried")
    func noTrial() {
        var suspicion = PeerSuspicion(trialInterval: .seconds(2))
        suspicion.failed("b", now: start)
        #expect(ordered(&suspicion, at: 5) == ["a", "c", "b"])
        #expect(ordered(&suspicion, at: 9) == ["a", "c", "b"])
    }

    @Test("Several requests without any answer make a suspect; single slow ones do not")
    func silence() {
        var suspicion = PeerSuspicion(trialInterval: .seconds(2))
        for _ in 0..<10 {
            for _ in 1..<PeerSuspicion.silencesMax { suspicion.silent("a", now: start) }
            suspicion.answered("a")
        }
        #expect(!suspicion.isSuspect("a"))
        for _ in 0..<PeerSuspicion.silencesMax { suspicion.silent("a", now: start) }
        #expect(suspicion.isSuspect("a") && !suspicion.hasFailed("a"))
        suspicion.failed("a", now: start)
        #expect(suspicion.hasFailed("a"))
        suspicion.answered("a")
        #expect(suspicion.isEmpty && !suspicion.hasFailed("a"))
    }

    @Test("Who is away by what the manager says is asked last, and not tried")
    func absent() {
        var suspicion = PeerSuspicion(trialInterval: .seconds(2))
        #expect(ordered(&suspicion, at: 0, absent: ["a"]) == ["b", "c", "a"])
        suspicion.failed("a", now: start)
        #expect(ordered(&suspicion, at: 5, absent: ["a"]) == ["b", "c", "a"])
        #expect(ordered(&suspicion, at: 5, absent: ["a", "b", "c"]) == nodes)
    }
}
