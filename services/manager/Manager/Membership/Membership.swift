import Model
import Wire

/// Which members are alive, and what state that puts them in. Pure: fed with heartbeats and time, answers transitions.
///
/// States are those that LeoFS's operators know. Only transitions are worth a write to the store: heartbeats are not.
struct Membership: Sendable {
    /// A member whose state has to change.
    struct Transition: Sendable, Equatable {
        var name: NodeName
        var state: MemberState
    }

    /// What the last heartbeat said.
    struct Liveness: Sendable, Equatable {
        /// When something was heard, or when waiting for it began.
        var heard: Duration
        var isAlive = false
        /// Start time of the process; 0: not heard yet.
        var incarnation: UInt64 = 0
        /// It restarted while it was being taken out.
        var restarted = false
        var ringHash: UInt32 = 0
        var epoch: UInt64 = 0
        var revision: UInt64 = 0
    }

    /// A silent member is down after this.
    let timeout: Duration
    private(set) var liveness: [NodeName: Liveness] = [:]
    private var members: [NodeName: MemberRecord] = [:]
    private var ringNodes: Set<NodeName> = []
    private var lastTick: Duration?

    init(timeout: Duration) { self.timeout = timeout }

    func isAlive(_ name: NodeName) -> Bool { liveness[name]?.isAlive ?? false }

    // MARK: - Events

    /// The state in the store changed. A member that is new here has the whole timeout to be heard.
    mutating func update(members: [NodeName: MemberRecord], ringNodes: Set<NodeName>, at now: Duration) -> [Transition]
    {
        self.members = members.filter { Self.isWatched($0.value.role) }
        self.ringNodes = ringNodes
        liveness = liveness.filter { self.members[$0.key] != nil }
        for name in self.members.keys where liveness[name] == nil { liveness[name] = Liveness(heard: now) }
        return transitions(of: self.members.keys.filter { isAlive($0) })
    }

    /// A member was heard.
    mutating func heartbeat(_ beat: Heartbeat, at now: Duration) -> [Transition] {
        let name = NodeName(beat.name)
        guard members[name] != nil, var known = liveness[name] else { return [] }
        if known.incarnation != 0, beat.incarnation != known.incarnation { known.restarted = true }
        known.incarnation = beat.incarnation
        known.heard = max(known.heard, now)
        known.isAlive = true
        known.ringHash = beat.ringHash
        known.epoch = beat.epoch
        known.revision = beat.revision
        liveness[name] = known
        return transitions(of: [name])
    }

    /// Time has passed. Called several times per timeout.
    mutating func tick(at now: Duration) -> [Transition] {
        // When this process itself stood still, silence says nothing about the others.
        if let lastTick, now - lastTick > timeout / 2 {
            for name in liveness.keys { liveness[name]?.heard = now }
        }
        lastTick = now
        let silent = liveness.filter { now - $0.value.heard > timeout }.keys.sorted()
        for name in silent { liveness[name]?.isAlive = false }
        return transitions(of: silent)
    }

    // MARK: - Decisions

    private func transitions(of names: some Sequence<NodeName>) -> [Transition] {
        names.sorted().compactMap { name in
            guard let member = members[name], let liveness = liveness[name] else { return nil }
            let state = Self.state(of: member, liveness, inRing: ringNodes.contains(name))
            return state == member.state ? nil : Transition(name: name, state: state)
        }
    }

    private static func state(of member: MemberRecord, _ liveness: Liveness, inRing: Bool) -> MemberState {
        switch (member.role, member.state) {
        case (.storage, .suspended): .suspended
        case (.storage, .detached):
            // Its removal is planned. A restart in between needs the operator's word.
            liveness.isAlive && liveness.restarted ? .restarted : .detached
        case (.storage, .restarted): liveness.isAlive ? .restarted : .stopped
        case (.storage, _): liveness.isAlive ? (inRing ? .running : .attached) : .stopped
        default: liveness.isAlive ? .running : .stopped
        }
    }

    private static func isWatched(_ role: MemberRole) -> Bool {
        [.gateway, .storage, .replicator, .repair].contains(role)
    }
}
