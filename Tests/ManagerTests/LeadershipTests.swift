import ClusterStore
import Logging
import Model
import Synchronization
import Testing

@testable import Manager

@Suite("Leadership")
struct LeadershipTests {
    private static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    private func leadership(_ store: any ClusterStore, _ name: NodeName) -> Leadership {
        Leadership(store, name: name, logger: Self.logger)
    }

    @Test("One manager leads; when it stops another one does")
    func handedOn() async throws {
        let store = try SQLiteClusterStore(path: ":memory:")
        let (first, second) = (leadership(store, "a"), leadership(store, "b"))
        await first.step()
        await second.step()
        #expect(first.isLeader && !second.isLeader)
        await first.stop()
        #expect(!first.isLeader)
        await second.step()
        #expect(second.isLeader)
    }

    @Test("A leader that died is followed when its lease has ended, not before")
    func expired() async throws {
        let clock = Mutex<Int64>(1_000)
        var options = SQLiteClusterStore.Options()
        options.now = { clock.withLock { $0 } }
        let store = try SQLiteClusterStore(path: ":memory:", options: options)
        await leadership(store, "a").step()
        let second = leadership(store, "b")
        clock.withLock { $0 += 4_900 }
        await second.step()
        #expect(!second.isLeader)
        clock.withLock { $0 += 200 }
        await second.step()
        #expect(second.isLeader)
    }

    @Test("A manager that was started again leads at once if it led before")
    func restarted() async throws {
        let store = try SQLiteClusterStore(path: ":memory:")
        await leadership(store, "a").step()
        let again = leadership(store, "a")
        await again.step()
        #expect(again.isLeader)
    }

    @Test("A leader whose lease was taken leads no more, and what it began to write is not committed")
    func deposed() async throws {
        let store = try SQLiteClusterStore(path: ":memory:")
        let first = leadership(store, "a")
        await first.step()
        let entry = try #require(try await store.get(ManagerKeys.leader))
        let state = ManagerState(try await store.range(.all))
        var edit = StateEdit(state)
        edit.put("plan", bytes: [1])
        try first.require(&edit)
        try await store.revokeLease(try #require(entry.lease))
        await leadership(store, "b").step()
        guard case .conflict = try await store.commit(edit.counted) else {
            Issue.record("an edit of a leader that was deposed is committed")
            return
        }
        await first.step()
        #expect(!first.isLeader)
        var late = StateEdit(ManagerState(try await store.range(.all)))
        #expect(throws: VerbError.self) { try first.require(&late) }
    }
}
