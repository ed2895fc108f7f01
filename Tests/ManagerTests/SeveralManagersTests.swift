import ClusterState
import ClusterStore
import Logging
import Model
import Testing
import Wire

@testable import Manager

/// Managers that share a store and do not hear of each other's changes before they collide with them.
@Suite("Several managers on one store")
struct SeveralManagersTests {
    private let first: Fixture
    private let second: ManagedCluster

    init() async throws {
        first = try await Fixture()
        second = try await ManagedCluster.load(
            first.cluster.store, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    /// At the second manager.
    private func run(_ verb: String, _ arguments: String...) async throws -> [UInt8] {
        let context = first.context
        return try await second.change { state, edit in
            let call = VerbCall(arguments: arguments, state: state, context: context)
            return try ReportCoding.encode(StateVerb.all[verb]!.run(call, &edit))
        }
    }

    @Test("A rule over several keys holds: an access key belongs to one user, whichever manager is asked")
    func sharedAccessKey() async throws {
        try await first.run(
            "import-user", "alice", "shared-access-key", "secret-secret", as: CreatedUserReport.self)
        #expect(second.view.users.isEmpty)
        await #expect(throws: VerbError(.conflict, "The access key id belongs to user alice")) {
            _ = try await run("import-user", "bob", "shared-access-key", "secret-secret")
        }
        #expect(second.view.users.keys.sorted() == ["alice"])
    }

    @Test("A user is not deleted beside a bucket that another manager makes for it")
    func deletedOwner() async throws {
        let user = try await first.run("create-user", "alice", as: CreatedUserReport.self)
        try await second.refresh()
        try await first.run("add-bucket", "photos", user.accessKeyId)
        await #expect(throws: VerbError.self) { _ = try await run("delete-user", "alice") }
        #expect(second.view.buckets["photos"]?.owner == "alice")
    }

    @Test("Edits of both at once are all made")
    func concurrent() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<10 {
                group.addTask {
                    try await first.run("create-user", "a\(number)", as: CreatedUserReport.self)
                }
                group.addTask { _ = try await run("create-user", "b\(number)") }
            }
            try await group.waitForAll()
        }
        try await first.cluster.refresh()
        #expect(first.view.users.count == 20)
    }

    @Test("A bucket's creation that is sent again, to another manager, is answered as the first time")
    func repeatedCreation() async throws {
        try await first.run("create-user", "alice", as: CreatedUserReport.self)
        let request = ChangeBucketRequest(
            change: .bucketCreate, name: "photos", owner: "alice", id: [UInt8](repeating: 9, count: 16))
        let context = first.context
        #expect(try await first.change(request).outcome == .bucketChanged)
        try await second.refresh()
        let again = try await second.change { state, edit in
            try BucketChanges.apply(request, state, &edit, context)
        }
        #expect(again.outcome == .bucketChanged && again.bucket?.id == request.id)
    }
}
