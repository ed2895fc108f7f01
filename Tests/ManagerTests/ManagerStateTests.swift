import ClusterState
import Foundation
import GRDB
import Logging
import Model
import Testing
import Wire

@testable import ClusterStore
@testable import Manager

@Suite("State of the manager")
struct ManagerStateTests {
    private func put(_ key: String, _ revision: UInt64) -> StoreChange {
        StoreChange(key: key, value: [UInt8(truncatingIfNeeded: revision)], revision: revision)
    }

    @Test("A process gets what is new to it, deletions too, and no private entry")
    func changes() {
        var state = ManagerState(
            StoreSnapshot(
                revision: 3,
                entries: [
                    StoreEntry(key: "buckets/a", value: [1], revision: 1),
                    StoreEntry(key: "users/u", value: [2], revision: 2),
                    StoreEntry(key: "tokens/t", value: [3], revision: 3),
                ]))
        state.apply([put("buckets/b", 4), StoreChange(key: "buckets/a", value: nil, revision: 5)], upTo: 5)
        let news = state.changes(after: 3, withUsers: false)
        #expect(!news.complete && news.revision == 5)
        #expect(news.entries.map(\.key) == ["buckets/b", "buckets/a"] && news.entries.map(\.deleted) == [false, true])
        #expect(state.changes(after: 5, withUsers: true).entries.isEmpty)
        let gateway = state.changes(after: 0, withUsers: true)
        #expect(gateway.complete && gateway.entries.map(\.key) == ["users/u", "buckets/b"])
        #expect(state.changes(after: 0, withUsers: false).entries.map(\.key) == ["buckets/b"])
        #expect(state.changes(after: 99, withUsers: true).complete, "it follows a store that is lost")
    }

    @Test("A key that was deleted and made again is not told as deleted")
    func recreated() {
        var state = ManagerState(
            StoreSnapshot(revision: 1, entries: [StoreEntry(key: "buckets/a", value: [1], revision: 1)]))
        state.apply([StoreChange(key: "buckets/a", value: nil, revision: 2), put("buckets/a", 3)], upTo: 3)
        #expect(state.changes(after: 1, withUsers: true).entries.map(\.deleted) == [false])
    }

    @Test("Old deletions are forgotten: who needs them gets everything")
    func bounded() {
        var state = ManagerState(StoreSnapshot(revision: 0, entries: []))
        for revision in 1...UInt64(ManagerState.deletionsMax + 1) {
            state.apply([StoreChange(key: "buckets/x\(revision)", value: nil, revision: revision)], upTo: revision)
        }
        #expect(state.deletions.count <= ManagerState.deletionsMax)
        #expect(state.changes(after: 1, withUsers: false).complete)
        #expect(!state.changes(after: state.revision - 5, withUsers: false).complete)
    }

    @Test("Edits of many at once all take effect")
    func concurrentEdits() async throws {
        let fixture = try await Fixture()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<30 {
                group.addTask { try await fixture.run("create-user", "user-\(index)", as: CreatedUserReport.self) }
            }
            try await group.waitForAll()
        }
        #expect(fixture.view.users.count == 30)
    }

    @Test("An edit by another manager in between is not overwritten")
    func foreignEdit() async throws {
        let fixture = try await Fixture()
        try await fixture.run("create-user", "alice", as: CreatedUserReport.self)
        let store = try #require(fixture.cluster.store as? SQLiteClusterStore)
        let attempts = try await fixture.cluster.change { state, edit -> Int in
            var user = try #require(state.view.user(id: "alice"))
            let first = user.role == 1
            user.passwordHash = [1]
            edit.put(ClusterKeys.user("alice"), user)
            guard first else { return 2 }
            // The other manager is faster.
            var faster = try #require(state.view.user(id: "alice"))
            faster.role = 9
            let other = faster
            try store.queue.write { database in
                _ = try StoreTables.commit(
                    StoreTransaction([.put(key: "users/alice", value: other.encoded(), lease: nil)]), database)
            }
            return 1
        }
        #expect(attempts == 2)
        #expect(fixture.view.user(id: "alice")?.role == 9 && fixture.view.user(id: "alice")?.passwordHash == [1])
    }

    @Test("A restart finds the same cluster; a foreign master key is refused")
    func rebirth() async throws {
        let fixture = try await Fixture()
        let before = fixture.cluster.state
        let plan = BirthPlan(
            level: .majority(of: 5), partitions: 8, dataCenter: "other",
            manager: try #require(fixture.view.members["manager"]), adminKey: fixture.key(201))
        let context = fixture.context
        try await fixture.cluster.change { state, edit in try ClusterBirth.ensure(plan, state, &edit, context) }
        #expect(fixture.cluster.state.revision == before.revision, "nothing is written when nothing is new")
        var foreign = fixture.context
        foreign.masterKey = .random()
        let stranger = foreign
        await #expect(throws: ClusterBirth.Refused.self) {
            try await fixture.cluster.change { state, edit in try ClusterBirth.ensure(plan, state, &edit, stranger) }
        }
    }

    @Test("The master key is made once, and never for a store that has secrets")
    func masterKeyFile() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        #expect(throws: MasterKeyFile.Refused.self) {
            try MasterKeyFile.load(configured: nil, directory: folder.path, isNew: false)
        }
        let made = try MasterKeyFile.load(configured: nil, directory: folder.path, isNew: true)
        let found = try MasterKeyFile.load(configured: nil, directory: folder.path, isNew: false)
        #expect(made.bytes == found.bytes)
        let given = try MasterKeyFile.load(
            configured: String(repeating: "0a", count: 32), directory: folder.path, isNew: false)
        #expect(given.bytes == [UInt8](repeating: 10, count: 32))
        #expect(throws: MasterKeyFile.Refused.self) {
            try MasterKeyFile.load(configured: "0a", directory: folder.path, isNew: true)
        }
        try FileManager.default.removeItem(at: folder)
    }

    @Test("The reusable token stays while it is good and is renewed when it has expired")
    func joinTokenFile() async throws {
        var fixture = try await Fixture()
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        func ensure(_ fixture: Fixture) async throws -> JoinToken? {
            try await JoinTokenFile.ensure(
                fixture.cluster, directory: folder, lifetime: .seconds(7200), fixture.context)
            return JoinToken(try String(contentsOfFile: folder + "/join-token", encoding: .utf8))
        }
        let first = try #require(try await ensure(fixture))
        #expect(try await ensure(fixture) == first)
        _ = try await fixture.enrol(fixture.request("storage-1", key: 1, first))
        fixture.now += 7_200_001
        let second = try #require(try await ensure(fixture))
        #expect(second != first)
        _ = try await fixture.enrol(fixture.request("storage-2", key: 2, second))
    }
}
