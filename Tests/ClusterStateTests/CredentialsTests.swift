import ClusterState
import Foundation
import MessageBus
import Model
import Testing
import Wire

@Suite("Tokens, enrolment and the administrator's file")
struct CredentialsTests {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    @Test("A token survives its text form; anything else is refused")
    func tokenText() {
        let token = JoinToken.random(managerKey: [UInt8](repeating: 9, count: 32))
        #expect(JoinToken(token.description + "\n") == token)
        let text = token.description
        for bad in [
            "", "mjt1", String(text.dropLast()), "mjt2" + text.dropFirst(4),
            text.replacingOccurrences(of: ".", with: ""),
        ] {
            #expect(JoinToken(bad) == nil, "\(bad)")
        }
    }

    @Test("A proof binds name, role and key")
    func proof() {
        func proof(_ name: String, _ role: MemberRole, _ key: [UInt8]) -> [UInt8] {
            JoinToken.proof(secret: [1, 2, 3], name: name, role: role, publicKey: key)
        }
        let good = proof("s1", .storage, [7])
        #expect(good.count == 32 && good == proof("s1", .storage, [7]))
        #expect(good != proof("s2", .storage, [7]) && good != proof("s1", .gateway, [7]))
        #expect(good != proof("s1", .storage, [8]))
        #expect(good != JoinToken.proof(secret: [1, 2], name: "s1", role: .storage, publicKey: [7]))
    }

    @Test("An enrolment is kept for its owner alone")
    func enrolment() throws {
        #expect(try Enrolment.load(dataDirectory: folder.path) == nil)
        let result = EnrolmentResult(
            clusterID: "c", writer: .max, masterKey: [1, 2], managerName: "m", managerKey: [3])
        try Enrolment.store(result, dataDirectory: folder.path)
        #expect(try Enrolment.load(dataDirectory: folder.path) == result)
        let path = folder.appendingPathComponent(Enrolment.fileName).path
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
    }

    @Test("admin.toml survives the way there and back, and tells what it lacks")
    func adminFile() throws {
        let credentials = AdminCredentials(
            name: "admin", publicKey: [UInt8](repeating: 1, count: 32), secretKey: [UInt8](repeating: 2, count: 32),
            manager: PeerEndpoint(
                name: "manager", role: .manager, address: "tcp://127.0.0.1:7000", publisher: "tcp://127.0.0.1:7001",
                publicKey: [UInt8](repeating: 3, count: 32)),
            others: [4, 5].map {
                PeerEndpoint(
                    name: NodeName("manager-\($0)"), role: .manager, address: "tcp://127.0.0.1:700\($0)",
                    publisher: "tcp://127.0.0.1:800\($0)", publicKey: [UInt8](repeating: $0, count: 32))
            }, encrypted: false)
        let path = folder.appendingPathComponent("admin.toml").path
        #expect(throws: CredentialsError.missing(path)) { try AdminCredentials(path: path) }
        try credentials.write(to: path)
        #expect(try AdminCredentials(path: path) == credentials)
        let text = try String(contentsOfFile: path, encoding: .utf8).replacingOccurrences(of: "secret_key", with: "x")
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: CredentialsError.incomplete(path: path, key: "admin.secret_key")) {
            try AdminCredentials(path: path)
        }
    }
}
