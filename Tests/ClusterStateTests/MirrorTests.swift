import ClusterState
import Foundation
import Logging
import MessageBus
import Model
import Synchronization
import Testing
import Wire

@Suite("Mirror of the cluster's state")
struct MirrorTests {
    private let folder: URL
    private let managers = FakeManagers()
    private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private var file: String { folder.appendingPathComponent("cluster-state").path }

    private func mirror(_ names: NodeName...) -> ClusterStateMirror {
        ClusterStateMirror(
            file: file,
            bootstrap: names.map { PeerEndpoint(name: $0, role: .manager, address: "tcp://\($0):1", publicKey: [1]) },
            logger: logger)
    }

    private func bucket(_ name: String, revision: UInt64) -> StateEntry {
        StateEntry(key: "buckets/\(name)", value: BucketRecord(name: name).encoded(), revision: revision)
    }

    @Test("Shows what a manager answered, and asks only for what is newer")
    func follows() async throws {
        let mirror = mirror("m1")
        managers.set("m1") { request in
            if request.afterRevision == 0 {
                return .success(FetchStateReply(revision: 5, complete: true, entries: [bucket("a", revision: 5)]))
            }
            #expect(request.afterRevision == 5 || request.afterRevision == 6)
            return .success(
                FetchStateReply(
                    revision: 6, entries: [bucket("b", revision: 6), StateEntry(key: "buckets/a", deleted: true)]))
        }
        mirror.start(bus: managers)
        try await mirror.refresh()
        try await mirror.waitFor(revision: 6, timeout: .seconds(20))
        #expect(mirror.view.buckets.keys.sorted() == ["b"])
        mirror.stop()
    }

    @Test("A complete answer forgets what is not in it")
    func complete() async throws {
        let mirror = mirror("m1")
        let revision = Mutex<UInt64>(1)
        managers.set("m1") { _ in
            let now = revision.withLock { $0 }
            return .success(
                FetchStateReply(revision: now, complete: true, entries: [bucket(now == 1 ? "a" : "b", revision: now)]))
        }
        mirror.start(bus: managers)
        try await mirror.refresh()
        #expect(mirror.view.buckets.keys.sorted() == ["a"])
        revision.withLock { $0 = 2 }
        try await mirror.refresh()
        #expect(mirror.view.buckets.keys.sorted() == ["b"])
        mirror.stop()
    }

    @Test("An older answer changes nothing")
    func older() async throws {
        let mirror = mirror("m1")
        let revision = Mutex<UInt64>(7)
        managers.set("m1") { _ in
            let now = revision.withLock { $0 }
            return .success(
                FetchStateReply(revision: now, complete: true, entries: now == 7 ? [bucket("a", revision: 7)] : []))
        }
        mirror.start(bus: managers)
        try await mirror.refresh()
        revision.withLock { $0 = 3 }
        try await mirror.refresh()
        #expect(mirror.view.revision == 7 && mirror.view.buckets["a"] != nil)
        mirror.stop()
    }

    @Test("Starts from its file when no manager answers")
    func withoutManager() async throws {
        let first = mirror("m1")
        managers.set("m1") { _ in
            .success(
                FetchStateReply(
                    revision: 5, complete: true,
                    entries: [bucket("a", revision: 5), StateEntry(key: "future/x", value: [1], revision: 4)]))
        }
        first.start(bus: managers)
        try await first.refresh()
        first.stop()
        let second = mirror("m1")
        #expect(second.view.revision == 5 && second.view.buckets["a"] != nil)
        second.start(bus: FakeManagers())
        await #expect(throws: ClusterStateError.self) { try await second.refresh() }
        #expect(second.view.buckets["a"] != nil)
        second.stop()
    }

    @Test("A damaged file is not believed")
    func damagedFile() async throws {
        try await withoutManager()
        var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        #expect(try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int == 0o600)
        bytes[bytes.count - 1] ^= 1
        try bytes.write(to: URL(fileURLWithPath: file))
        #expect(mirror("m1").view.revision == 0)
        try Data("something else".utf8).write(to: URL(fileURLWithPath: file))
        #expect(mirror("m1").view.revision == 0)
    }

    @Test("Asks the next manager when one does not answer, and stays with it")
    func failover() async throws {
        let mirror = mirror("m1", "m2")
        managers.set("m2") { _ in .success(FetchStateReply(revision: 1, complete: true)) }
        mirror.start(bus: managers)
        try await mirror.refresh()
        try await mirror.refresh()
        #expect(managers.asked.prefix(2) == ["m1", "m2"])
        #expect(managers.asked.dropFirst(2).allSatisfy { $0 == "m2" })
        mirror.stop()
    }

    @Test("A published change wakes; the publisher is learnt from the state")
    func wake() async throws {
        let mirror = mirror("m1")
        let revision = Mutex<UInt64>(1)
        let member = MemberRecord(name: "m1", role: .manager, publisher: "tcp://m1:2", publicKey: [1])
        managers.set("m1") { _ in
            .success(
                FetchStateReply(
                    revision: revision.withLock { $0 }, complete: true,
                    entries: [StateEntry(key: "members/m1", value: member.encoded(), revision: 1)]))
        }
        managers.hold()
        mirror.start(bus: managers)
        #expect(managers.listenedTo.isEmpty)
        managers.release()
        try await mirror.refresh()
        #expect(managers.listenedTo == ["m1"])
        #expect(mirror.endpoint(of: "m1")?.publisher == "tcp://m1:2")
        #expect(mirror.peer(publicKey: [1])?.name == "m1")
        revision.withLock { $0 = 2 }
        managers.publishChange(of: "m1")
        try await mirror.waitFor(revision: 2, timeout: .seconds(20))
        mirror.stop()
    }

    @Test("Introduces itself to the manager")
    func announces() async throws {
        let mirror = mirror("m1")
        managers.set("m1") { _ in .success(FetchStateReply(revision: 1, complete: true)) }
        mirror.start(bus: managers, announcing: EnrolRequest(name: "s1", address: "tcp://s1:9"))
        try await mirror.refresh()
        try await mirror.refresh()
        #expect(managers.announced.map(\.address) == ["tcp://s1:9"])
        mirror.stop()
    }

    @Test("A refresh is only satisfied by a request that began after it")
    func lateRefresh() async throws {
        let mirror = mirror("m1")
        let revision = Mutex<UInt64>(1)
        managers.set("m1") { _ in
            .success(FetchStateReply(revision: revision.withLock { $0 }, complete: true))
        }
        managers.hold()
        mirror.start(bus: managers)
        async let early: Void = mirror.refresh()
        while managers.asked.isEmpty { await Task.yield() }
        revision.withLock { $0 = 2 }
        async let late: Void = mirror.refresh()
        for _ in 0..<100 { await Task.yield() }
        managers.release()
        _ = try await (early, late)
        #expect(mirror.view.revision == 2)
        mirror.stop()
    }

    @Test("Waiting for a revision that does not come ends with its timeout")
    func waiting() async throws {
        let mirror = mirror("m1")
        managers.set("m1") { _ in .success(FetchStateReply(revision: 1, complete: true)) }
        mirror.start(bus: managers)
        try await mirror.refresh()
        try await mirror.waitFor(revision: 1, timeout: .zero)
        await #expect(throws: ClusterStateError.revisionNotReached(2)) {
            try await mirror.waitFor(revision: 2, timeout: .milliseconds(1))
        }
        mirror.stop()
    }
}
