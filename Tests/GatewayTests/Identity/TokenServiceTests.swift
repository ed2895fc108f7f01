import Checksums
import ClusterState
import Model
import Testing
import Wire

@testable import Gateway

@Suite("Logins and tokens")
struct TokenServiceTests {
    private let cluster = IdentityCluster([IdentityCluster.alice])
    private let time = WallTime()
    private static let master = MasterKey(bytes: [UInt8](repeating: 7, count: 32))!
    private static let scope = LoginScope(project: .name("backups"))

    private func service(master: MasterKey = TokenServiceTests.master) -> TokenService {
        TokenService(
            cluster: cluster, master: master, changes: cluster, lifetime: .seconds(3600),
            clock: { [time] in time.milliseconds }, refresh: SharedRefresh(cluster: cluster))
    }

    @Test("A token of one gateway is good at another, until its end")
    func lifetime() async throws {
        let (text, made) = try await service().login(user: "alice", password: "secret", scope: Self.scope)
        #expect(made.isOperator && made.project?.id == "p1" && made.token.methods == ["password"])
        #expect(text.utf8.count < 255)
        #expect(try await service().authenticate(text) == made)
        time.pass(3_599_999)
        _ = try await service().authenticate(text)
        time.pass(1)
        await #expect(throws: Unauthorized.self) { try await service().authenticate(text) }
    }

    @Test("What another cluster has made, or somebody has changed, is no token")
    func forgery() async throws {
        let (text, _) = try await service().login(user: "alice", password: "secret", scope: Self.scope)
        let other = service(master: MasterKey(bytes: [UInt8](repeating: 8, count: 32))!)
        await #expect(throws: Unauthorized.self) { try await other.authenticate(text) }
        var bytes = Array(text.utf8)
        for index in [0, 20, bytes.count / 2, bytes.count - 2] {
            let kept = bytes[index]
            bytes[index] = kept == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            let changed = String(decoding: bytes, as: UTF8.self)
            await #expect(throws: Unauthorized.self) { try await service().authenticate(changed) }
            bytes[index] = kept
        }
        for junk in ["", "x", String(repeating: "A", count: 5000), "\u{E9}"] {
            await #expect(throws: Unauthorized.self) { try await service().authenticate(junk) }
        }
    }

    @Test(
        "Every bad login fails alike",
        arguments: [
            ("alice", "wrong", LoginScope.Project.name("backups")), ("alice", "", .byDefault),
            ("bob", "secret", .byDefault),
            ("alice", "secret", .name("other")), ("alice", "secret", .id("backups")), ("alice", "secret", .impossible),
        ])
    func badLogins(user: String, password: String, project: LoginScope.Project) async {
        await #expect(throws: Unauthorized.self) {
            try await service().login(user: user, password: password, scope: LoginScope(project: project))
        }
    }

    @Test("A user without a password has none, not an empty one")
    func noPassword() async throws {
        var bob = IdentityCluster.alice
        (bob.id, bob.passwordHash) = ("bob", [])
        cluster.put(bob)
        await #expect(throws: Unauthorized.self) {
            try await service().login(user: "bob", password: "", scope: Self.scope)
        }
    }

    @Test("A token ends with its user, its roles, a new password, and its revocation")
    func endings() async throws {
        let service = service()
        let alice = IdentityCluster.alice
        func login() async throws -> String {
            try await service.login(user: "alice", password: "secret", scope: Self.scope).text
        }
        var text = try await login()
        var changed = alice
        changed.roles = []
        cluster.put(changed)
        await #expect(throws: Unauthorized.self) { try await service.authenticate(text) }
        cluster.put(alice)
        _ = try await service.authenticate(text)
        changed = alice
        changed.tokensFromMilliseconds = time.milliseconds
        cluster.put(changed)
        await #expect(throws: Unauthorized.self) { try await service.authenticate(text) }
        // In the same millisecond, or by a clock that is behind the manager's: a new one is good.
        text = try await login()
        _ = try await service.authenticate(text)
        cluster.remove(user: "alice")
        await #expect(throws: Unauthorized.self) { try await service.authenticate(text) }
        // Another user of the same name, made later.
        var later = alice
        later.createdMilliseconds = time.milliseconds + 5
        cluster.put(later)
        await #expect(throws: Unauthorized.self) { try await service.authenticate(text) }
    }

    @Test("A token that was got with a revoked one ends too, and never outlives it")
    func chain() async throws {
        let service = service()
        let (first, root) = try await service.login(
            user: "alice", password: "secret", scope: LoginScope(project: .none))
        #expect(root.project == nil && root.roles.isEmpty)
        time.pass(1000)
        let (second, scoped) = try await service.login(token: first, scope: Self.scope)
        #expect(scoped.token.methods == ["password", "token"] && scoped.token.auditIDs.count == 2)
        #expect(scoped.token.expiresMilliseconds == root.token.expiresMilliseconds)
        let (third, _) = try await service.login(token: second, scope: Self.scope)
        try await service.revoke(root.token, context: .init())
        for text in [first, second, third] {
            await #expect(throws: Unauthorized.self) { try await service.authenticate(text) }
        }
    }

    @Test("An application credential has its roles as long as the user has them, and is for its project only")
    func applicationCredential() async throws {
        var alice = IdentityCluster.alice
        alice.roles.append(RoleAssignment(project: "p1", role: "reader"))
        alice.applicationCredentials = [
            ApplicationCredential(
                id: "c1", name: "nightly", secretHash: IdentityCluster.hash, project: "p1",
                roles: ["reader"], expiresMilliseconds: time.milliseconds + 1000)
        ]
        cluster.put(alice)
        let service = service()
        let (text, made) = try await service.login(applicationCredential: "c1", of: nil, secret: "secret")
        #expect(made.roles == ["reader"] && !made.isOperator)
        #expect(made.token.expiresMilliseconds == time.milliseconds + 1000)
        _ = try await service.login(applicationCredential: "nightly", of: "alice", secret: "secret")
        await #expect(throws: Unauthorized.self) { try await service.login(token: text, scope: Self.scope) }
        await #expect(throws: Unauthorized.self) {
            try await service.login(applicationCredential: "c1", of: nil, secret: "wrong")
        }
        alice.roles.removeAll { $0.role == "reader" }
        cluster.put(alice)
        await #expect(throws: Unauthorized.self) { try await service.authenticate(text) }
    }
}
