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

    /// A membership of one member.
    private func one(
        _ role: MemberRole, _ state: MemberState, inRing: Bool = true
    ) -> Membership {
        var membership = Membership(timeout: .seconds(3))
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
        #expect(membership.heartbeat(Self.beat("n"), at: .seconds(1)).map(\.state) == [expected].compactMap { $0 })
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
        for tick in 1...16 { seen += membership.tick(at: .milliseconds(250 * tick)).map(\.state) }
        #expect(Set(seen) == Set([expected].compactMap { $0 }))
    }

    @Test("A member is stopped after the timeout and not before, and runs again with its first heartbeat")
    func timeout() {
        var membership = one(.storage, .running)
        for tick in 1...20 {
            let now = Duration.milliseconds(250 * tick)
            #expect(membership.heartbeat(Self.beat("n"), at: now).isEmpty)
            #expect(membership.tick(at: now).isEmpty)
        }
        for tick in 21...32 { #expect(membership.tick(at: .milliseconds(250 * tick)).isEmpty) }
        #expect(membership.tick(at: .milliseconds(8_250)) == [.init(name: "n", state: .stopped)])
        _ = membership.update(
            members: ["n": Self.member("n", .storage, .stopped)], ringNodes: ["n"], at: .milliseconds(8_251))
        #expect(membership.heartbeat(Self.beat("n"), at: .milliseconds(8_300)) == [.init(name: "n", state: .running)])
    }

    @Test("A transition that was not written is told again")
    func repeated() {
        var membership = one(.gateway, .stopped, inRing: false)
        #expect(membership.heartbeat(Self.beat("n"), at: .seconds(1)).count == 1)
        #expect(membership.heartbeat(Self.beat("n"), at: .seconds(2)).count == 1)
        _ = membership.update(members: ["n": Self.member("n", .gateway, .running)], ringNodes: [], at: .seconds(2))
        #expect(membership.heartbeat(Self.beat("n"), at: .seconds(2)).isEmpty)
    }

    @Test("When the manager itself stood still, nobody is blamed")
    func pause() {
        var membership = one(.storage, .running)
        _ = membership.heartbeat(Self.beat("n"), at: .seconds(1))
        #expect(membership.tick(at: .seconds(1)).isEmpty)
        #expect(membership.tick(at: .seconds(60)).isEmpty)
        #expect(membership.tick(at: .milliseconds(61_000)).isEmpty)
        var last: [Membership.Transition] = []
        for tick in 245...260 { last += membership.tick(at: .milliseconds(250 * tick)) }
        #expect(last.contains(.init(name: "n", state: .stopped)), "but silence after it counts")
    }

    @Test("A detached node that restarts waits for the operator")
    func restarted() {
        var membership = one(.storage, .detached)
        #expect(membership.heartbeat(Self.beat("n", incarnation: 1), at: .seconds(1)).isEmpty)
        #expect(
            membership.heartbeat(Self.beat("n", incarnation: 2), at: .seconds(2)) == [
                .init(name: "n", state: .restarted)
            ])
    }

    @Test("A node that the ring takes in runs at once")
    func start() {
        var membership = one(.storage, .attached, inRing: false)
        _ = membership.heartbeat(Self.beat("n"), at: .seconds(1))
        let record = ["n": Self.member("n", .storage, .attached)] as [NodeName: MemberRecord]
        #expect(
            membership.update(members: record, ringNodes: ["n"], at: .seconds(1)) == [.init(name: "n", state: .running)]
        )
    }

    @Test("Strangers, managers and administrators are not watched")
    func strangers() {
        var membership = Membership(timeout: .seconds(3))
        _ = membership.update(
            members: ["m": Self.member("m", .manager, .running), "a": Self.member("a", .admin, .running)],
            ringNodes: [], at: .zero)
        #expect(membership.heartbeat(Self.beat("stranger"), at: .seconds(1)).isEmpty)
        #expect(membership.liveness.isEmpty)
    }
}
