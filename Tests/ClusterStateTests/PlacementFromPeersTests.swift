import Foundation
import Logging
import MessageBus
import Model
import Synchronization
import Testing
import Wire

@testable import ClusterState

/// Where keys live, told from process to process while no manager answers.
@Suite("Placement from peers")
struct PlacementFromPeersTests {
    private func ring(epoch: UInt64, revision: UInt64, nodes: [String] = ["s1", "s2", "s3"]) -> StateEntry {
        let record = RingRecord(
            epoch: epoch, nodes: nodes, partitions: [PartitionAssignment(current: [0, 1, 2], epoch: epoch)])
        return StateEntry(key: ClusterKeys.ring, value: record.encoded(), revision: revision)
    }

    private func member(_ name: String, revision: UInt64, address: String = "tcp://x:1") -> StateEntry {
        let record = MemberRecord(name: name, role: .storage, address: address, publicKey: Array(name.utf8))
        return StateEntry(key: ClusterKeys.member(NodeName(name)), value: record.encoded(), revision: revision)
    }

    private func user(_ name: String, revision: UInt64) -> StateEntry {
        StateEntry(key: ClusterKeys.user(name), value: UserRecord(id: name).encoded(), revision: revision)
    }

    private let settings = StateEntry(
        key: ClusterKeys.settings,
        value: ClusterSettings(
            clusterId: "c", replicas: 3, writeQuorum: 2, readQuorum: 2, deleteQuorum: 2, partitions: 1,
            hashKey: [UInt8](repeating: 7, count: 16)
        ).encoded(), revision: 1)

    /// As a manager told it at a revision.
    private func entries(_ revision: UInt64, _ entries: StateEntry...) -> ClusterEntries {
        var made = ClusterEntries()
        _ = made.merge(FetchStateReply(revision: revision, complete: true, entries: entries))
        return made
    }

    private func ringEpoch(_ entries: ClusterEntries) throws -> UInt64 {
        try RingRecord(decoding: entries.values[ClusterKeys.ring]?.value ?? []).epoch
    }

    @Test("A peer tells the placement and nothing else, and only what is newer")
    func telling() {
        let known = entries(9, settings, ring(epoch: 4, revision: 8), member("s1", revision: 3), user("u", revision: 9))
        #expect(known.placement(after: 0).entries.map(\.key) == ["members/s1", "ring", "settings/cluster"])
        #expect(known.placement(after: 7).entries.map(\.key) == ["ring"])
        #expect(known.placement(after: known.placementRevision).entries.isEmpty)
    }

    @Test("A newer ring is taken over; everything else is still asked of managers from the old revision on")
    func adopting() throws {
        var mine = entries(5, settings, ring(epoch: 2, revision: 4), member("s1", revision: 3), user("u", revision: 5))
        let theirs = entries(
            9, settings, ring(epoch: 4, revision: 8), member("s1", revision: 7, address: "tcp://y:2"),
            user("u", revision: 9))
        let changes = mine.adopt(theirs.placement(after: mine.placementRevision))
        #expect(changes.map(\.key).sorted() == ["members/s1", "ring"])
        #expect(mine.revision == 5 && mine.placementRevision == 8)
        #expect(try ringEpoch(mine) == 4)
        #expect(mine.adopt(theirs.placement(after: 0)).isEmpty, "known already")
        // The manager that answers next may not have come so far.
        _ = mine.merge(FetchStateReply(revision: 6, entries: [ring(epoch: 3, revision: 6)]))
        #expect(try ringEpoch(mine) == 4 && mine.revision == 6)
    }

    @Test("An older ring, a member that is gone and what is no placement are not taken over")
    func refusing() throws {
        var mine = entries(5, settings, ring(epoch: 3, revision: 4))
        let theirs = FetchStateReply(
            revision: 9,
            entries: [
                ring(epoch: 2, revision: 9), member("s9", revision: 4), user("u", revision: 9),
                StateEntry(key: ClusterKeys.settings, deleted: true, revision: 9),
            ])
        #expect(mine.adopt(theirs).isEmpty)
        #expect(try ringEpoch(mine) == 3)
    }

    @Test("A restored backup does not bring an older ring back, nor takes the nodes away that the ring names")
    func restored() throws {
        var mine = entries(
            5, settings, ring(epoch: 3, revision: 4), member("s1", revision: 1), member("s2", revision: 1),
            member("s3", revision: 3), member("s9", revision: 3))
        let restored = FetchStateReply(
            revision: 1 << 32, complete: true,
            entries: [
                settings, ring(epoch: 1, revision: 1 << 32, nodes: ["s1", "s2", "s4"]), member("s1", revision: 1 << 32),
                member("s2", revision: 1 << 32), member("s4", revision: 1 << 32),
            ])
        _ = mine.merge(restored)
        #expect(try ringEpoch(mine) == 3)
        let members = mine.values.keys.filter { $0.hasPrefix(ClusterKeys.memberPrefix) }.sorted()
        #expect(members == ["members/s1", "members/s2", "members/s3", "members/s4"])
    }

    @Test("With all managers away the newest ring is had from storage nodes, and is kept")
    func mirror() async throws {
        let fixture = try MirrorOnItsOwn()
        fixture.bus.set("m1") { _ in
            .success(
                FetchStateReply(
                    revision: 5, complete: true,
                    entries: [settings, ring(epoch: 2, revision: 4)]
                        + ["s1", "s2", "s3"].map { member($0, revision: 2) }))
        }
        let mirror = fixture.start()
        try await mirror.refresh()
        fixture.bus.set("m1") { _ in .failure(BusError(.unreachable, "gone")) }
        // The mirror asks by itself, too: later requests know of what the first one brought.
        let revisions = Mutex<[UInt64]>([])
        fixture.bus.set("s2") { request in
            revisions.withLock { $0.append(request.afterRevision) }
            return .success(FetchStateReply(revision: 8, entries: [ring(epoch: 4, revision: 8)]))
        }
        await #expect(throws: ClusterStateError.self) { try await mirror.refresh() }
        #expect(mirror.view.epoch == 4 && mirror.view.revision == 5)
        #expect(revisions.withLock { $0.first } == 5)
        mirror.stop()
        #expect(fixture.make().view.epoch == 4, "after a restart")
    }

    @Test("Without managers the state stays in force for an hour, and the process asks as seldom as ever")
    func hour() async throws {
        let clock = SteppedClock()
        let fixture = try MirrorOnItsOwn(clock)
        fixture.bus.set("m1") { _ in
            .success(
                FetchStateReply(
                    revision: 5, complete: true,
                    entries: [settings, ring(epoch: 2, revision: 4), user("u", revision: 5)]))
        }
        let mirror = fixture.start()
        await clock.waitForSleeper()
        fixture.bus.set("m1") { _ in .failure(BusError(.unreachable, "gone")) }
        let before = fixture.bus.asked.count
        for _ in 0..<1_800 { await clock.advance() }
        #expect(clock.elapsed >= .seconds(3_600))
        #expect(mirror.view.epoch == 2 && mirror.view.revision == 5 && mirror.view.users.keys.sorted() == ["u"])
        #expect(mirror.view.ring?.partitions.count == 1)
        #expect(fixture.bus.asked.count - before <= 1_801)
        // Managers are followed again as soon as one answers.
        fixture.bus.set("m1") { _ in .success(FetchStateReply(revision: 6, entries: [user("v", revision: 6)])) }
        await clock.advance()
        #expect(mirror.view.users.keys.sorted() == ["u", "v"])
        mirror.stop()
    }
}

/// A mirror that knows one manager, in a folder of its own.
private struct MirrorOnItsOwn {
    let bus = FakeManagers()
    private let folder: URL
    private let clock: any Clock<Duration>

    init(_ clock: any Clock<Duration> = ContinuousClock()) throws {
        self.clock = clock
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    func make() -> ClusterStateMirror {
        ClusterStateMirror(
            file: folder.appendingPathComponent("cluster-state").path,
            bootstrap: [PeerEndpoint(name: "m1", role: .manager, address: "tcp://m1:1", publicKey: [1])],
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), clock: clock)
    }

    func start() -> ClusterStateMirror {
        let mirror = make()
        mirror.start(bus: bus)
        return mirror
    }
}

/// A clock that stands still until a test moves it on to the end of the one sleep there is.
final class SteppedClock: Clock {
    struct Instant: InstantProtocol {
        var offset: Swift.Duration
        func advanced(by duration: Swift.Duration) -> Self { Self(offset: offset + duration) }
        func duration(to other: Self) -> Swift.Duration { other.offset - offset }
        static func < (a: Self, b: Self) -> Bool { a.offset < b.offset }
    }

    private struct State {
        var now = Instant(offset: .zero)
        var sleeper: (end: Instant, continuation: CheckedContinuation<Void, Never>)?
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    var now: Instant { state.withLock { $0.now } }
    var minimumResolution: Swift.Duration { .zero }
    var elapsed: Swift.Duration { now.offset }

    func sleep(until deadline: Instant, tolerance: Swift.Duration?) async throws {
        await withCheckedContinuation { continuation in
            let waiting = state.withLock { state in
                state.sleeper = (deadline, continuation)
                defer { state.waiting = nil }
                return state.waiting
            }
            waiting?.resume()
        }
    }

    /// Returns when somebody sleeps.
    func waitForSleeper() async {
        await withCheckedContinuation { continuation in
            let isAsleep = state.withLock { state in
                if state.sleeper != nil { return true }
                state.waiting = continuation
                return false
            }
            if isAsleep { continuation.resume() }
        }
    }

    /// Ends the present sleep, and returns when the next one has begun.
    func advance() async {
        await waitForSleeper()
        let sleeper = state.withLock { state in
            defer { state.sleeper = nil }
            if let sleeper = state.sleeper { state.now = max(state.now, sleeper.end) }
            return state.sleeper
        }
        sleeper?.continuation.resume()
        await waitForSleeper()
    }
}
