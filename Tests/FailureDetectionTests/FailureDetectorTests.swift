import FailureDetection
import Model
import Testing

@Suite("Failure detector")
struct FailureDetectorTests {
    private static let timing = DetectorTiming()

    /// An observer of these members, all of them heard at second 1.
    private func observer(of names: Set<NodeName>) -> FailureDetector {
        var detector = FailureDetector()
        detector.watch(names, at: .zero)
        for name in names {
            _ = detector.heartbeat(from: name, incarnation: 7, sequence: 1, at: .seconds(1))
        }
        return detector
    }

    /// Ticks every 250 ms, during which all but one go on beating.
    private func silence(
        of silent: NodeName, _ detector: inout FailureDetector, from: Int, to: Int
    ) -> [(at: Duration, directives: [FailureDetector.Directive])] {
        (from...to).map { tick in
            let now = Duration.milliseconds(250 * tick)
            for name in detector.members.keys where name != silent {
                _ = detector.heartbeat(from: name, incarnation: 7, sequence: UInt64(tick + 10), at: now)
            }
            return (now, detector.tick(at: now))
        }
    }

    @Test("A silent member is asked directly, then through others, suspected, and given up")
    func escalation() {
        var detector = observer(of: ["a", "b", "c", "d", "e"])
        let story = silence(of: "a", &detector, from: 5, to: 19)
        let probes = story.flatMap { entry in
            entry.directives.compactMap { directive -> FailureDetector.Probe? in
                if case .probe(let probe) = directive { probe } else { nil }
            }
        }
        #expect(probes.allSatisfy { $0.target == "a" && $0.relay != "a" })
        #expect(probes.first { $0.relay == nil }?.sent == .seconds(2), "after 750 ms of silence")
        #expect(probes.first { $0.relay != nil }?.sent == .milliseconds(2_250), "after 1.17 s")
        #expect(Set(probes.compactMap(\.relay)) == ["b", "c", "d", "e"], "the relays take turns")
        let perTick = Dictionary(grouping: probes.filter { $0.relay != nil }, by: \.sent)
        #expect(perTick.values.allSatisfy { Set($0.map(\.relay)).count == $0.count && $0.count <= 3 })
        let verdicts = story.flatMap { entry in
            entry.directives.compactMap { directive -> String? in
                if case .probe = directive { nil } else { "\(entry.at) \(directive)" }
            }
        }
        #expect(
            verdicts == [
                "\(Duration.seconds(3)) \(FailureDetector.Directive.suspected("a"))",
                "\(Duration.milliseconds(4_750)) \(FailureDetector.Directive.down("a"))",
            ])
        #expect(detector.isAlive("b") && !detector.isAlive("a"))
    }

    @Test("A suspicion is refuted by a newer heartbeat, and by an answer, not by an older heartbeat")
    func refutation() {
        var detector = observer(of: ["a", "b"])
        _ = silence(of: "a", &detector, from: 5, to: 12)
        #expect(detector.members["a"]?.verdict == .suspected)
        var other = detector
        #expect(detector.heartbeat(from: "a", incarnation: 7, sequence: 1, at: .seconds(3)).isEmpty)
        #expect(detector.heartbeat(from: "a", incarnation: 7, sequence: 2, at: .seconds(3)) == [.refuted("a")])
        #expect(other.answered(.init(target: "a", relay: "b", sent: .seconds(2)), at: .seconds(3)) == [.refuted("a")])
    }

    @Test("A member that is down comes back by a heartbeat or an answer, not by an answer to an old question")
    func returning() {
        var detector = observer(of: ["a", "b"])
        _ = silence(of: "a", &detector, from: 5, to: 20)
        #expect(detector.members["a"]?.verdict == .down)
        let now = Duration.seconds(6)
        #expect(detector.answered(.init(target: "a", sent: .milliseconds(4_500)), at: now).isEmpty)
        var answered = detector
        #expect(answered.answered(.init(target: "a", sent: .milliseconds(5_900)), at: now) == [.up("a")])
        #expect(detector.heartbeat(from: "a", incarnation: 8, sequence: 1, at: now) == [.up("a")])
        #expect(detector.heartbeat(from: "a", incarnation: 7, sequence: 99, at: now).isEmpty, "of the process before")
        #expect(detector.members["a"]?.incarnation == 8)
    }

    @Test("A clock that was set back does not keep a restarted member out")
    func clockSetBack() {
        var detector = observer(of: ["a", "b"])
        _ = silence(of: "a", &detector, from: 5, to: 20)
        #expect(detector.heartbeat(from: "a", incarnation: 3, sequence: 1, at: .seconds(6)) == [.up("a")])
    }

    @Test("What a relay tells counts as at most one message old")
    func relayed() {
        var detector = observer(of: ["a", "b"])
        _ = detector.answered(.init(target: "a", relay: "b", sent: .seconds(2)), at: .milliseconds(3_500))
        #expect(detector.members["a"]?.heard == .milliseconds(2_500))
        _ = detector.answered(.init(target: "a", relay: "b", sent: .seconds(3)), at: .milliseconds(3_600))
        #expect(detector.members["a"]?.heard == .seconds(3))
        _ = detector.answered(.init(target: "a", sent: .seconds(1)), at: .milliseconds(5_001))
        #expect(detector.members["a"]?.heard == .seconds(3), "an answer that is too late says nothing")
    }

    @Test("A member that is down is looked for once a second")
    func lookedFor() {
        var detector = observer(of: ["a", "b"])
        let story = silence(of: "a", &detector, from: 5, to: 60)
        let late = story.filter { $0.at > .seconds(6) }.flatMap(\.directives)
        #expect(late.count == 2 * 9, "directly and through one other, 9 times in 9 seconds: \(late)")
    }

    @Test("An observer that stood still blames nobody")
    func pause() {
        var detector = observer(of: ["a", "b"])
        _ = detector.tick(at: .seconds(1))
        #expect(detector.tick(at: .seconds(60)).isEmpty)
        #expect(detector.isAlive("a") && detector.isAlive("b"))
        let verdicts = silence(of: "a", &detector, from: 241, to: 256).flatMap(\.directives)
        #expect(verdicts.contains(.down("a")), "but silence after it counts")
    }

    @Test("Questions at one tick are limited, and everybody gets a turn")
    func manySilent() {
        var timing = DetectorTiming()
        timing.probesMax = 4
        var detector = FailureDetector(timing: timing)
        let names = (0..<10).map { NodeName("n\($0)") }
        detector.watch(Set(names), at: .zero)
        var asked: Set<NodeName> = []
        for tick in 4...13 {
            let directives = detector.tick(at: .milliseconds(250 * tick))
            let targets = directives.compactMap { directive -> NodeName? in
                if case .probe(let probe) = directive { probe.target } else { nil }
            }
            #expect(targets.count <= 4)
            asked.formUnion(targets)
        }
        #expect(asked == Set(names))
    }

    @Test("Who is no member is not judged, and is forgotten")
    func strangers() {
        var detector = observer(of: ["a", "b"])
        #expect(detector.heartbeat(from: "x", incarnation: 1, sequence: 1, at: .seconds(1)).isEmpty)
        #expect(detector.answered(.init(target: "x", sent: .seconds(1)), at: .seconds(1)).isEmpty)
        detector.watch(["b"], at: .seconds(2))
        #expect(Array(detector.members.keys) == ["b"])
    }
}
