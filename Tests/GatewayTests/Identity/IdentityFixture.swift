import Checksums
import ClusterState
import MessageBus
import Model
import Synchronization
import Wire

@testable import Gateway

/// A cluster's users and projects that tests change at will, with the manager's part of identity.
final class IdentityCluster: ClusterViewing, IdentityChanging {
    private let current: Mutex<ClusterView>

    static let project = ProjectRecord(id: "p1", name: "backups", createdMilliseconds: 1)
    static let hash = Array(PasswordHash(of: "secret").description.utf8)

    init(_ users: [UserRecord], projects: [ProjectRecord] = [IdentityCluster.project]) {
        let entries =
            users.map { StateEntry(key: ClusterKeys.user($0.id), value: $0.encoded(), revision: 1) }
            + projects.map { StateEntry(key: ClusterKeys.project($0.id), value: $0.encoded(), revision: 1) }
        current = Mutex(ClusterView(revision: 1, entries: entries))
    }

    /// alice, operator of backups.
    static var alice: UserRecord {
        UserRecord(
            id: "alice", role: 1, createdMilliseconds: 1, passwordHash: hash, defaultProject: "p1",
            roles: [RoleAssignment(project: "p1", role: "swiftoperator")])
    }

    var view: ClusterView { current.withLock { $0 } }

    func refresh() async throws {}

    func put(_ user: UserRecord) {
        apply(StateEntry(key: ClusterKeys.user(user.id), value: user.encoded(), revision: 2))
    }

    func remove(user id: String) { apply(StateEntry(key: ClusterKeys.user(id), deleted: true, revision: 2)) }

    private func apply(_ entry: StateEntry) {
        current.withLock { $0 = $0.applying([entry], revision: $0.revision + 1) }
    }

    func revoke(_ request: RevokeTokenRequest, context: MessageContext) async throws {
        let revoked = RevokedToken(expiresMilliseconds: request.expiresMilliseconds)
        apply(StateEntry(key: ClusterKeys.revokedToken(request.id), value: revoked.encoded(), revision: 2))
    }

    func changeAccount(_ request: ChangeAccountRequest, context: MessageContext) async throws {}
}

/// A clock in milliseconds that tests move.
final class WallTime: Sendable {
    private let now = Mutex<Int64>(1_700_000_000_000)

    var milliseconds: Int64 { now.withLock { $0 } }
    func pass(_ milliseconds: Int64) { now.withLock { $0 += milliseconds } }
}
