import ClusterState
import ClusterStore
import Foundation
import Model
import Testing

@testable import Manager

@Suite("Backup and restore of the state")
struct ArchiveTests {
    private func archive(_ fixture: Fixture) throws -> StateArchive {
        let page = try StateExport().page([], fixture.cluster.state, now: 1_575_535_012_000)
        #expect(!page.more)
        return StateArchive(
            clusterID: page.clusterId, revision: page.revision, takenAt: page.takenAt, entries: page.entries)
    }

    @Test("What was backed up is restored, in a store that goes on with greater revisions and writer ids")
    func restored() async throws {
        let fixture = try await Fixture()
        try await fixture.attach(2)
        let user = try await fixture.run("create-user", "alice", as: CreatedUserReport.self)
        let bytes = try archive(fixture).encoded()
        #expect(!String(decoding: bytes, as: UTF8.self).contains(user.secretAccessKey))
        let read = try StateArchive(decoding: bytes)
        let entries = try StateRestore.entries(read, masterKey: fixture.masterKey)
        let store = try SQLiteClusterStore(path: ":memory:")
        try await store.fill(with: entries, after: read.revision + StateRestore.revisionStep)
        let state = ManagerState(try await store.range(.all))
        #expect(state.view.settings == fixture.view.settings && state.view.members == fixture.view.members)
        #expect(state.view.users == fixture.view.users)
        #expect(state.revision > fixture.cluster.state.revision + StateRestore.revisionStep)
        let writer = UInt64(String(decoding: state.entries[ManagerKeys.lastWriter]?.value ?? [], as: UTF8.self))
        #expect(writer ?? 0 >= StateRestore.writerStep)
    }

    @Test("Another master key is refused")
    func otherKey() async throws {
        let archive = try archive(try await Fixture())
        #expect(throws: ClusterBirth.Refused.self) {
            try StateRestore.entries(archive, masterKey: MasterKey(bytes: [UInt8](repeating: 6, count: 32))!)
        }
    }

    @Test("A backup that was cut or changed is refused")
    func damaged() async throws {
        let bytes = try archive(try await Fixture()).encoded()
        for count in [0, 1, bytes.count / 2, bytes.count - 1] {
            #expect(throws: StateArchive.Damage.self) { try StateArchive(decoding: Array(bytes.prefix(count))) }
        }
        for index in stride(from: 0, to: bytes.count, by: 97) {
            var changed = bytes
            changed[index] ^= 1
            // A change in the head's text for people does no harm; anything else is noticed.
            if let read = try? StateArchive(decoding: changed) {
                #expect(try read.entries == StateArchive(decoding: bytes).entries)
            }
        }
    }

    @Test("A large state comes in pages of one revision")
    func pages() async throws {
        let fixture = try await Fixture()
        for number in 0..<4 {
            try await fixture.cluster.change { _, edit in
                edit.put("tokens/large-\(number)", bytes: [UInt8](repeating: 1, count: 2 << 20))
            }
        }
        let export = StateExport()
        var page = try export.page([], fixture.cluster.state, now: 0)
        let revision = page.revision
        var keys = page.entries.map(\.key)
        #expect(page.more)
        // What changes meanwhile is not in the backup.
        try await fixture.attach(1)
        while page.more {
            page = try export.page(["\(revision)", keys[keys.count - 1]], fixture.cluster.state, now: 0)
            #expect(page.revision == revision)
            keys += page.entries.map(\.key)
        }
        #expect(keys.count(where: { $0.hasPrefix("tokens/large-") }) == 4)
        #expect(!keys.contains("members/storage-1") && keys == keys.sorted())
        #expect(throws: VerbError.self) { try export.page(["1", "a"], fixture.cluster.state, now: 0) }
    }
}
