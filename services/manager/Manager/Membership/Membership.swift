import FailureDetection
import Model
import Wire

/// Which members are alive, and what state that puts them in. Pure: fed with heartbeats, answers and time, says what is to
/// be written and whom to ask.
///
/// States are those that LeoFS's operators know. Only transitions are worth a write to the store: heartbeats are not.
struct Membership: Sendable {
    /// A member whose state has to change.
    struct Transition: Sendable, Equatable {
        var name: NodeName
        var state: MemberState
    }

    /// What is to be done.
    struct Outcome: Sendable, Equatable {
        /// To be written. Told again until the store has it.
        var transitions: [Transition] = []
        /// To be asked.
        var probes: [FailureDetector.Probe] = []
        /// What the detector found, for people.
        var news: [FailureDetector.Directive] = []
    }

    /// What the last heartbeat said.
    private struct Said: Sendable {
        var incarnation: UInt64 = 0
        /// It restarted while it was being taken out.
        var restarted = false
        var ringHash: UInt32 = 0
        var epoch: UInt64 = 0
        var revision: UInt64 = 0
    }

    private var detector: FailureDetector
    private var said: [NodeName: Said] = [:]
    private var members: [NodeName: MemberRecord] = [:]
    private var ringNodes: Set<NodeName> = []

    init(timing: DetectorTiming) { detector = FailureDetector(timing: timing) }

    // MARK: - Events

    /// The state in the store changed. A member that is new here has the whole timeout to be heard.
    mutating func update(
        members: [NodeName: MemberRecord], ringNodes: Set<NodeName>, at now: Duration
    ) -> Outcome {
        self.members = members.filter { Self.isWatched($0.value.role) }
        self.ringNodes = ringNodes
        said = said.filter { self.members[$0.key] != nil }
        detector.watch(Set(self.members.keys), at: now)
        return Outcome(transitions: transitions(of: self.members.keys.filter { detector.isAlive($0) }))
    }

    /// A member was heard. `sequence` numbers its heartbeats.
    mutating func heartbeat(_ beat: Heartbeat, sequence: UInt64, at now: Duration) -> Outcome {
        let name = NodeName(beat.name)
        guard members[name] != nil else { return Outcome() }
        let directives = detector.heartbeat(
            from: name, incarnation: beat.incarnation, sequence: sequence, at: now)
        if detector.members[name]?.incarnation == beat.incarnation { note(beat, from: name) }
        return outcome(directives, about: [name])
    }

    /// Somebody asked a member and it answered.
    mutating func answered(_ probe: FailureDetector.Probe, at now: Duration) -> Outcome {
        let directives = detector.answered(probe, at: now)
        return outcome(directives, about: [probe.target])
    }

    /// Time has passed. Called several times per timeout.
    mutating func tick(at now: Duration) -> Outcome {
        let directives = detector.tick(at: now)
        return outcome(directives, about: detector.members.filter { $0.value.verdict == .down }.keys)
    }

    /// What is known of all members.
    func liveness(at now: Duration) -> [NodeName: Liveness] {
        detector.members.reduce(into: [:]) { all, member in
            let said = said[member.key]
            all[member.key] = Liveness(
                verdict: member.value.verdict, silence: member.value.wasHeard ? now - member.value.heard : nil,
                ringHash: said?.ringHash ?? 0, epoch: said?.epoch ?? 0, revision: said?.revision ?? 0)
        }
    }

    // MARK: - Decisions

    private mutating func note(_ beat: Heartbeat, from name: NodeName) {
        var known = said[name] ?? Said()
        if known.incarnation != 0, beat.incarnation != known.incarnation { known.restarted = true }
        known.incarnation = beat.incarnation
        known.ringHash = beat.ringHash
        known.epoch = beat.epoch
        known.revision = beat.revision
        said[name] = known
    }

    private func outcome(
        _ directives: [FailureDetector.Directive], about names: some Sequence<NodeName>
    ) -> Outcome {
        var outcome = Outcome(transitions: transitions(of: names))
        for directive in directives {
            if case .probe(let probe) = directive {
                outcome.probes.append(probe)
            } else {
                outcome.news.append(directive)
            }
        }
        return outcome
    }

    private func transitions(of names: some Sequence<NodeName>) -> [Transition] {
        names.sorted().compactMap { name in
            guard let member = members[name], let life = detector.members[name], life.verdict != .unknown else {
                return nil
            }
            let state = Self.state(
                of: member, isAlive: life.verdict != .down, restarted: said[name]?.restarted ?? false,
                inRing: ringNodes.contains(name))
            return state == member.state ? nil : Transition(name: name, state: state)
        }
    }

    private static func state(
        of member: MemberRecord, isAlive: Bool, restarted: Bool, inRing: Bool
    ) -> MemberState {
        switch (member.role, member.state) {
        case (.storage, .suspended): .suspended
        case (.storage, .detached):
            // Its removal is planned. A restart in between needs the operator's word.
            isAlive && restarted ? .restarted : .detached
        case (.storage, .restarted): isAlive ? .restarted : .stopped
        case (.storage, _): isAlive ? (inRing ? .running : .attached) : .stopped
        default: isAlive ? .running : .stopped
        }
    }

    private static func isWatched(_ role: MemberRole) -> Bool {
        [.manager, .gateway, .storage, .replicator, .repair].contains(role)
    }
}
