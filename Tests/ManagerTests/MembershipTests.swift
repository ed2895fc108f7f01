import FailureDetection
import Model
import Testing
import Wire

@testable import Manager

@Suite("Membership")
struct MembershipTests {
    private static func member(_ name: String, _ role: MemberRole, _ state: MemberState) -> MemberRecord {
        MemberRecord(name: name, role: role, state: state)
    }

    private static func beat(_ name: String, incarnation: UInt64 = 1) -> Heartbeat {
        Heartbeat(name: name, incarnation: incarnation)
    }

    /// What a heartbeat changes. Each is newer than the one before.
    private static func hear(
        _ membership: inout Membership, _ name: String = "n", incarnation: UInt64 = 1, at now: Duration
    ) -> [Membership.Transition] {
        let sequence = UInt64(now / .milliseconds(1)) + 1
        return membership.heartbeat(beat(name, incarnation: incarnation), sequence: sequence, at: now).transitions
    }

    /// A membership of one member.
    private func one(
        _ role: MemberRole, _ state: MemberState, inRing: Bool = true
    ) -> Membership {
        var membership = Membership(timing: DetectorTiming(downAfter: .seconds(3)))
        _ = membership.update(
            members: ["n": Self.member("n", role, state)], ringNodes: inRing ? ["n"] : [], at: .zero)
        return membership
    }

    @Test(
        "What a heartbeat makes of each state",
        arguments: [
            (MemberRole.storage, MemberState.attached, false, nil), (.storage, .stopped, true, MemberState.running),
            (.storage, .stopped, false, .attached), (.storage, .running, true, nil), (.storage, .suspended, true, nil),
            (.storage, .detached, true, nil), (.storage, .restarted, true, nil), (.gateway, .stopped, false, .running),
            (.replicator, .stopped, false, .running), (.repair, .running, false, nil),
        ] as [(MemberRole, MemberState, Bool, MemberState?)])
    func heard(role: MemberRole, state: MemberState, inRing: Bool, expected: MemberState?) {
        var membership = one(role, state, inRing: inRing)
        #expect(Self.hear(&membership, at: .seconds(1)).map(\.state) == [expected].compactMap { $0 })
    }

    @Test(
        "What silence makes of each state",
        arguments: [
            (MemberRole.storage, MemberState.running, true, MemberState.stopped),
            (.storage, .attached, false, .stopped),
            (.storage, .suspended, true, nil), (.storage, .detached, true, nil), (.storage, .restarted, true, .stopped),
            (.gateway, .running, false, .stopped), (.gateway, .stopped, false, nil),
        ] as [(MemberRole, MemberState, Bool, MemberState?)])
    func silent(role: MemberRole, state: MemberState, inRing: Bool, expected: MemberState?) {
        var membership = one(role, state, inRing: inRing)
        var seen: [MemberState] = []
        for tick in 1...16 { seen += membership.tick(at: .milliseconds(250 * tick)).transitions.map(\.state) }
        #expect(Set(seen) == Set([expected].compactMap { $0 }))
    }

    @Test("A member is stopped after the timeout and not before, and runs again with its first heartbeat")
    func timeout() {
        var membership = one(.storage, .running)
        for tick in 1...20 {
            let now = Duration.milliseconds(250 * tick)
            #expect(Self.hear(&membership, at: now).isEmpty)
            #expect(membership.tick(at: now).transitions.isEmpty)
        }
        for tick in 21...32 { #expect(membership.tick(at: .milliseconds(250 * tick)).transitions.isEmpty) }
        #expect(membership.tick(at: .milliseconds(8_250)).transitions == [.init(name: "n", state: .stopped)])
        _ = membership.update(
            members: ["n": Self.member("n", .storage, .stopped)], ringNodes: ["n"], at: .milliseconds(8_251))
        #expect(Self.hear(&membership, at: .milliseconds(8_300)) == [.init(name: "n", state: .running)])
    }

    @Test("A transition that was not written is told again")
    func repeated() {
        var membership = one(.gateway, .stopped, inRing: false)
        #expect(Self.hear(&membership, at: .seconds(1)).count == 1)
        #expect(Self.hear(&membership, at: .seconds(2)).count == 1)
        _ = membership.update(members: ["n": Self.member("n", .gateway, .running)], ringNodes: [], at: .seconds(2))
        #expect(Self.hear(&membership, at: .seconds(3)).isEmpty)
    }

    @Test("When the manager itself stood still, nobody is blamed")
    func pause() {
        var membership = one(.storage, .running)
        _ = Self.hear(&membership, at: .seconds(1))
        #expect(membership.tick(at: .seconds(1)).transitions.isEmpty)
        #expect(membership.tick(at: .seconds(60)).transitions.isEmpty)
        #expect(membership.tick(at: .milliseconds(61_000)).transitions.isEmpty)
        var last: [Membership.Transition] = []
        for tick in 245...260 { last += membership.tick(at: .milliseconds(250 * tick)).transitions }
        #expect(last.contains(.init(name: "n", state: .stopped)), "but silence after it counts")
    }

    @Test("A detached node that restarts waits for the operator")
    func restarted() {
        var membership = one(.storage, .detached)
        #expect(Self.hear(&membership, incarnation: 1, at: .seconds(1)).isEmpty)
        #expect(
            Self.hear(&membership, incarnation: 2, at: .seconds(2)) == [
                .init(name: "n", state: .restarted)
            ])
    }

    @Test("A node that the ring takes in runs at once")
    func start() {
        var membership = one(.storage, .attached, inRing: false)
        _ = Self.hear(&membership, at: .seconds(1))
        let record = ["n": Self.member("n", .storage, .attached)] as [NodeName: MemberRecord]
        #expect(
            membership.update(members: record, ringNodes: ["n"], at: .seconds(1)).transitions == [
                .init(name: "n", state: .running)
            ]
        )
    }

    @Test("Strangers and administrators are not watched, other managers are")
    func strangers() {
        var membership = Membership(timing: DetectorTiming(downAfter: .seconds(3)))
        _ = membership.update(
            members: ["m": Self.member("m", .manager, .running), "a": Self.member("a", .admin, .running)],
            ringNodes: [], at: .zero)
        #expect(Self.hear(&membership, "stranger", at: .seconds(1)).isEmpty)
        #expect(membership.liveness(at: .seconds(1)).keys.sorted() == ["m"])
    }

    @Test("A silent member is asked, and an answer keeps it: only its connection for heartbeats may be broken")
    func asked() {
        var membership = one(.storage, .running)
        _ = Self.hear(&membership, at: .zero)
        for tick in 1...40 {
            let now = Duration.milliseconds(250 * tick)
            let outcome = membership.tick(at: now)
            #expect(outcome.transitions.isEmpty)
            for probe in outcome.probes {
                #expect(probe.target == "n")
                #expect(membership.answered(probe, at: now).transitions.isEmpty)
            }
        }
        #expect(membership.liveness(at: .seconds(10))["n"]?.isAlive == true)
    }

    @Test("A member that only answers comes back as one that is heard")
    func answering() {
        var membership = one(.storage, .stopped)
        for tick in 1...16 { _ = membership.tick(at: .milliseconds(250 * tick)) }
        let outcome = membership.answered(.init(target: "n", sent: .seconds(4)), at: .milliseconds(4_010))
        #expect(outcome.transitions == [.init(name: "n", state: .running)] && outcome.news == [.up("n")])
    }

    @Test("How long a member is silent is known, also that it never was heard")
    func silence() {
        var membership = one(.storage, .running)
        #expect(membership.liveness(at: .seconds(2))["n"] == Liveness(verdict: .unknown, silence: nil))
        _ = Self.hear(&membership, at: .seconds(2))
        #expect(membership.liveness(at: .seconds(3))["n"] == Liveness(verdict: .alive, silence: .seconds(1)))
        _ = membership.tick(at: .milliseconds(3_250))
        for tick in 14...18 { _ = membership.tick(at: .milliseconds(250 * tick)) }
        #expect(membership.liveness(at: .seconds(4))["n"]?.verdict == .suspected)
    }
}
