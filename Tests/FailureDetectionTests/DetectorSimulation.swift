import FailureDetection
import Model
import TestKit

/// Members that all observe each other, over a network that loses, delays and cuts. Time is simulated; a run is a
/// function of its seed.
final class DetectorSimulation {
    struct Event: Equatable {
        var seconds: Double
        var observer: NodeName
        var directive: FailureDetector.Directive
    }

    private struct Member {
        var detector: FailureDetector
        var incarnation: UInt64 = 1
        var sequence: UInt64 = 0
        var isDead = false
    }

    private struct Link: Hashable {
        var from: NodeName
        var to: NodeName
    }

    private static let heartbeatInterval = 500_000
    private static let tickInterval = 250_000

    let names: [NodeName]
    private(set) var events: [Event] = []
    private let scheduler = SimulatedScheduler()
    private var random: SeededGenerator
    private let loss: Double
    private let delayMax: Int
    private let end: Int
    private var members: [NodeName: Member] = [:]
    private var cuts: Set<Link> = []

    /// - Parameters:
    ///   - loss: Probability that a message is lost.
    ///   - delay: The longest way of a message, in seconds; every shorter one is as likely.
    init(members count: Int, loss: Double, delay: Double, seconds: Int, seed: UInt64) {
        names = (1...count).map { NodeName("n\($0)") }
        self.loss = loss
        delayMax = max(1, Int(delay * 1e6))
        end = seconds * 1_000_000
        random = SeededGenerator(seed: seed)
        for name in names {
            var detector = FailureDetector()
            detector.watch(Set(names).subtracting([name]), at: .zero)
            members[name] = Member(detector: detector)
            beat(name, incarnation: 1, after: random.number(0..<Self.heartbeatInterval))
            tick(name, after: random.number(0..<Self.tickInterval))
        }
    }

    private var now: Duration { .microseconds(scheduler.now) }

    func run() { scheduler.run() }

    func at(_ seconds: Double, _ action: @escaping () -> Void) { scheduler.after(Int(seconds * 1e6), action) }

    // MARK: - Faults

    func kill(_ name: NodeName) { members[name]?.isDead = true }

    func restart(_ name: NodeName) {
        members[name]?.isDead = false
        members[name]?.incarnation += 1
        members[name]?.sequence = 0
        beat(name, incarnation: members[name]!.incarnation, after: 0)
    }

    func cut(_ from: NodeName, _ to: NodeName) { cuts.insert(Link(from: from, to: to)) }
    func heal() { cuts = [] }

    // MARK: - What was seen

    func verdict(of observer: NodeName, on name: NodeName) -> MemberLife.Verdict? {
        members[observer]?.detector.members[name]?.verdict
    }

    /// Members that were given up, and by whom.
    var downs: [Event] {
        events.filter { if case .down = $0.directive { true } else { false } }
    }

    // MARK: - Members

    private func beat(_ name: NodeName, incarnation: UInt64, after: Int) {
        scheduler.after(after) { [unowned self] in
            guard scheduler.now < end, let member = members[name], !member.isDead, member.incarnation == incarnation
            else { return }
            members[name]?.sequence += 1
            let sequence = member.sequence + 1
            for other in names where other != name {
                send(name, other) { [unowned self] in
                    note(other) {
                        $0.heartbeat(from: name, incarnation: incarnation, sequence: sequence, at: self.now)
                    }
                }
            }
            beat(name, incarnation: incarnation, after: Self.heartbeatInterval)
        }
    }

    private func tick(_ name: NodeName, after: Int) {
        scheduler.after(after) { [unowned self] in
            guard scheduler.now < end else { return }
            note(name) { $0.tick(at: now) }
            tick(name, after: Self.tickInterval)
        }
    }

    private func note(_ name: NodeName, _ event: (inout FailureDetector) -> [FailureDetector.Directive]) {
        guard members[name]?.isDead == false else { return }
        for directive in event(&members[name]!.detector) {
            if case .probe(let probe) = directive {
                ask(probe, from: name)
            } else {
                events.append(Event(seconds: Double(scheduler.now) / 1e6, observer: name, directive: directive))
            }
        }
    }

    private func ask(_ probe: FailureDetector.Probe, from observer: NodeName) {
        let path = [observer] + (probe.relay.map { [$0] } ?? []) + [probe.target]
        travel(path + path.dropLast().reversed()) { [unowned self] in
            note(observer) { $0.answered(probe, at: now) }
        }
    }

    // MARK: - Network

    private func travel(_ path: [NodeName], then arrive: @escaping () -> Void) {
        guard path.count > 1 else { return arrive() }
        send(path[0], path[1]) { [unowned self] in travel(Array(path.dropFirst()), then: arrive) }
    }

    private func send(_ from: NodeName, _ to: NodeName, _ deliver: @escaping () -> Void) {
        guard !cuts.contains(Link(from: from, to: to)), !random.chance(loss) else { return }
        scheduler.after(random.number(0..<delayMax)) { [unowned self] in
            if members[to]?.isDead == false { deliver() }
        }
    }
}
