import ClusterState
import Testing
import Wire

@testable import Gateway

/// Everybody against every operation, from one table: what is not named here is refused.
@Suite("Authorisation of the Swift front")
struct SwiftAuthorizationTests {
    enum Somebody: CaseIterable {
        case anonymous, unscoped, otherProject, member, reader, listedReader, listedWriter, accountReader, accountWriter
        case accountAdmin, operatorOfProject, administrator, reseller

        var caller: SwiftCaller {
            func user(_ name: String, _ project: ProjectRecord?, _ roles: [String]) -> SwiftCaller {
                .user(Credentials(user: UserRecord(id: name), project: project, roles: roles, token: TokenContent()))
            }
            let own = SwiftAuthorizationTests.project
            let other = ProjectRecord(id: "p2", name: "others")
            return switch self {
            case .anonymous: .anonymous
            case .unscoped: user("alice", nil, [])
            case .otherProject: user("eve", other, ["admin", "swiftoperator", "reader"])
            case .member: user("mallory", own, ["member"])
            case .reader: user("rita", own, ["reader"])
            case .listedReader: user("bob", other, ["member"])
            case .listedWriter: user("carol", other, ["member"])
            case .accountReader: user("dora", other, ["member"])
            case .accountWriter: user("emil", other, ["member"])
            case .accountAdmin: user("fred", other, ["member"])
            case .operatorOfProject: user("alice", own, ["swiftoperator"])
            case .administrator: user("root", own, ["admin"])
            case .reseller: user("boss", other, ["ResellerAdmin"])
            }
        }

        /// What each may, and nothing else.
        var permissions: Set<SwiftPermission> {
            let read: Set<SwiftPermission> = [.readContainer, .readObject]
            return switch self {
            case .anonymous, .unscoped, .otherProject, .member: []
            case .reader, .accountReader: read.union([.readAccount])
            case .listedReader: read
            case .listedWriter: [.writeObject]
            case .accountWriter: read.union([.readAccount, .changeContainer, .writeObject])
            case .accountAdmin, .operatorOfProject, .administrator:
                Set(SwiftPermission.allCases).subtracting([.manageAccount])
            case .reseller: Set(SwiftPermission.allCases)
            }
        }

        var isOwner: Bool { [.accountAdmin, .operatorOfProject, .administrator, .reseller].contains(self) }
    }

    static let project = ProjectRecord(
        id: "p1", name: "backups",
        headers: [
            SwiftHeader(
                name: "x-account-access-control",
                value: #"{"admin":["others:fred"],"read-write":["p2:emil"],"read-only":["*:dora"]}"#)
        ])
    static let container = BucketRecord(
        name: "box", owner: "alice", project: "p1",
        headers: [
            SwiftHeader(name: "x-container-read", value: "others:bob"),
            SwiftHeader(name: "x-container-write", value: "p2:carol"),
        ])

    @Test("Who may what", arguments: Somebody.allCases)
    func matrix(somebody: Somebody) {
        for operation in SwiftOperation.allCases {
            let permission = operation.permission
            let decision = SwiftAuthorization.decide(
                permission, somebody.caller, project: Self.project, container: Self.container, referer: nil)
            let expected: SwiftAuthorization.Decision
            if permission == .none {
                expected = .allowed
            } else if somebody.permissions.contains(permission) {
                expected = somebody.isOwner ? .allowedAsOwner : .allowed
            } else {
                expected = somebody.caller.credentials == nil ? .unauthorized : .forbidden
            }
            #expect(decision == expected, "\(somebody) \(operation)")
        }
    }

    @Test("In an account that is nobody's only resellers are let in", arguments: Somebody.allCases)
    func noAccount(somebody: Somebody) {
        guard somebody.caller.credentials != nil else { return }
        let decision = SwiftAuthorization.decide(
            .readAccount, somebody.caller, project: nil, container: nil, referer: nil)
        #expect(decision.isAllowed == (somebody == .reseller))
    }

    @Test("Referrers read objects, and list only where the list says so")
    func referrers() {
        func decide(_ list: String, _ permission: SwiftPermission, _ referer: String?) -> Bool {
            let container = BucketRecord(
                name: "box", project: "p1", headers: [SwiftHeader(name: "x-container-read", value: list)])
            return SwiftAuthorization.decide(
                permission, .anonymous, project: Self.project, container: container, referer: referer
            ).isAllowed
        }
        #expect(decide(".r:*", .readObject, nil) && !decide(".r:*", .readContainer, nil))
        #expect(decide(".r:*,.rlistings", .readContainer, nil) && !decide(".r:*,.rlistings", .writeObject, nil))
        #expect(!decide(".rlistings", .readContainer, nil))
        let list = ".r:.example.com,.r:-bad.example.com"
        #expect(decide(list, .readObject, "http://www.example.com/page"))
        #expect(decide(list, .readObject, "https://user@WWW.example.com:8080/"))
        for referer in [
            "http://bad.example.com/", "http://example.org/", "http://example.com.evil/", "example.com", nil,
        ] {
            #expect(!decide(list, .readObject, referer))
        }
    }

    @Test("Lists are kept in one spelling; what nobody could mean is refused")
    func spelling() throws {
        #expect(
            try AccessList.cleaned(" .referrer : * , ,bob , .r:- *.x.org,", header: "X", isWrite: false)
                == ".r:*,bob,.r:-.x.org")
        for text in [".r:", ".x:*", ".unknown", ".r:-", ".r:*."] where text != ".r:*." {
            #expect(throws: SwiftError.self) { try AccessList.cleaned(text, header: "X", isWrite: false) }
        }
        #expect(throws: SwiftError.self) { try AccessList.cleaned(".r:*", header: "X", isWrite: true) }
        for text in ["", "[]", "{\"admin\":\"x\"}", "{\"owner\":[]}", "{\"admin\":[\"\"]}"] {
            #expect(AccountAccessList(text) == nil)
        }
    }
}
