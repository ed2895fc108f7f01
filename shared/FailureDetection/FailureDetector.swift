import Model

/// Who lives, as one observer sees it. Pure: heartbeats, answers and time go in, directives come out.
///
/// In the manner of SWIM: a member whose heartbeats are missing is asked directly, then through others, then suspected,
/// and down only when no proof of life came in all that time. A suspicion is refuted by what the member said after what
/// is known of it. The state is bounded by the number of members: questions are values that their answers bring back.
public struct FailureDetector: Sendable {
    /// A question to a member. Whoever asks it hands it back with the answer.
    public struct Probe: Sendable, Hashable {
        public var target: NodeName
        /// Who is to ask; nil: the observer itself.
        public var relay: NodeName?
        /// When it was asked.
        public var sent: Duration

        public init(target: NodeName, relay: NodeName? = nil, sent: Duration) {
            self.target = target
            self.relay = relay
            self.sent = sent
        }
    }

    public enum Directive: Sendable, Hashable {
        /// Ask, and tell the answer with ``answered(_:at:)``. No answer needs not to be told.
        case probe(Probe)
        /// It is silent: better not wait for it.
        case suspected(NodeName)
        /// The suspicion was wrong.
        case refuted(NodeName)
        /// It does not live, or nobody reaches it.
        case down(NodeName)
        /// It was heard for the first time, or again.
        case up(NodeName)
    }

    public let timing: DetectorTiming
    public private(set) var members: [NodeName: MemberLife] = [:]
    private var lastTick: Duration?
    /// Turns the choice of relays, and who comes first when there are too many questions.
    private var round = 0

    public init(timing: DetectorTiming = DetectorTiming()) { self.timing = timing }

    /// Heard, and not given up.
    public func isAlive(_ name: NodeName) -> Bool {
        guard let verdict = members[name]?.verdict else { return false }
        return verdict == .alive || verdict == .suspected
    }

    // MARK: - Events

    /// These are the members now. A new one has the whole time to be heard.
    public mutating func watch(_ names: Set<NodeName>, at now: Duration) {
        members = members.filter { names.contains($0.key) }
        for name in names where members[name] == nil { members[name] = MemberLife(at: now) }
    }

    /// A heartbeat arrived. Its sequence number grows with each heartbeat of one incarnation.
    public mutating func heartbeat(
        from name: NodeName, incarnation: UInt64, sequence: UInt64, at now: Duration
    ) -> [Directive] {
        guard members[name]?.isNews(incarnation, sequence) == true else { return [] }
        return prove(name, livedAt: now, now)
    }

    /// A question was answered: the member lived after it was asked.
    public mutating func answered(_ probe: Probe, at now: Duration) -> [Directive] {
        guard let member = members[probe.target], now - probe.sent <= timing.delayMax * 4 else { return [] }
        // An answer from before the member was given up does not bring it back.
        guard member.verdict != .down || probe.sent >= member.since else { return [] }
        // What a relay tells may have happened a message's delay ago.
        let lived = probe.relay == nil ? now : max(probe.sent, now - timing.delayMax)
        return prove(probe.target, livedAt: lived, now)
    }

    /// Time has passed. Called several times in the shortest of the times.
    public mutating func tick(at now: Duration) -> [Directive] {
        forgivePause(at: now)
        round &+= 1
        let verdicts = members.keys.sorted().flatMap { judge($0, now) }
        return verdicts + probes(now).map { .probe($0) }
    }

    // MARK: - Verdicts

    private mutating func prove(_ name: NodeName, livedAt time: Duration, _ now: Duration) -> [Directive] {
        guard var member = members[name] else { return [] }
        member.heard = max(member.heard, time)
        member.wasHeard = true
        defer { members[name] = member }
        guard now - member.heard <= timing.suspectAfter, member.verdict != .alive else { return [] }
        let wasSuspected = member.verdict == .suspected
        member.verdict = .alive
        member.since = now
        return [wasSuspected ? .refuted(name) : .up(name)]
    }

    private mutating func judge(_ name: NodeName, _ now: Duration) -> [Directive] {
        guard var member = members[name], member.verdict != .down else { return [] }
        let silence = now - member.heard
        let verdict: MemberLife.Verdict
        switch silence {
        case let long where long > timing.downAfter: verdict = .down
        case let long where long > timing.suspectAfter && member.verdict == .alive: verdict = .suspected
        default: return []
        }
        member.verdict = verdict
        member.since = now
        members[name] = member
        return [verdict == .down ? .down(name) : .suspected(name)]
    }

    /// When this process itself stood still, silence says nothing about the others.
    private mutating func forgivePause(at now: Duration) {
        defer { lastTick = now }
        guard let lastTick, now - lastTick > timing.pauseMax else { return }
        for (name, member) in members where member.verdict != .down {
            members[name]?.heard = min(now, member.heard + (now - lastTick))
        }
    }

    // MARK: - Questions

    private mutating func probes(_ now: Duration) -> [Probe] {
        let names = members.keys.sorted()
        let helpers = names.filter { members[$0]?.verdict == .alive }
        var probes: [Probe] = []
        for offset in names.indices where probes.count < timing.probesMax {
            let name = names[(offset + round) % names.count]
            guard let member = members[name], let relays = relaysWanted(member, now) else { continue }
            members[name]?.lastProbe = now
            probes.append(Probe(target: name, sent: now))
            probes += self.relays(helpers, for: name, relays).map { Probe(target: name, relay: $0, sent: now) }
        }
        return probes
    }

    /// How many others to ask; nil: nothing needs to be asked about this member.
    private func relaysWanted(_ member: MemberLife, _ now: Duration) -> Int? {
        if member.verdict == .down { return now - member.lastProbe >= timing.downProbeInterval ? 1 : nil }
        let silence = now - member.heard
        if silence > timing.relayAfter { return timing.relaysMax }
        return silence > timing.pingAfter ? 0 : nil
    }

    private func relays(_ helpers: [NodeName], for target: NodeName, _ count: Int) -> [NodeName] {
        let others = helpers.filter { $0 != target }
        guard !others.isEmpty else { return [] }
        // The turn moves by a whole hand: so all are asked before one is asked again.
        return (0..<min(count, others.count)).map { others[(round * timing.relaysMax + $0) % others.count] }
    }
}
