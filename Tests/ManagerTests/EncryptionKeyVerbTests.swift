import ClusterState
import Model
import Testing
import Wire

@testable import Manager

@Suite("Named encryption keys")
struct EncryptionKeyVerbTests {
    @Test("A key is made once, rotated, disabled and enabled; its secrets are sealed and differ")
    func life() async throws {
        let fixture = try await Fixture()
        let made = try await fixture.run("create-encryption-key", "k", as: EncryptionKeysReport.self)
        #expect(made.keys.map(\.versions) == [1] && made.keys.map(\.state) == ["enabled"])
        await #expect(throws: VerbError.self) {
            try await fixture.run("create-encryption-key", "k", as: EncryptionKeysReport.self)
        }
        _ = try await fixture.run("rotate-encryption-key", "k", as: EncryptionKeysReport.self)
        _ = try await fixture.run("disable-encryption-key", "k", as: EncryptionKeysReport.self)
        let record = try #require(fixture.view.encryptionKeys["k"])
        #expect(record.disabled && record.versions.map(\.number) == [1, 2])
        #expect(Set(record.versions.map(\.sealedKey)).count == 2)
        let enabled = try await fixture.run("enable-encryption-key", "k", as: EncryptionKeysReport.self)
        #expect(enabled.keys[0].state == "enabled" && enabled.keys[0].versions == 2)
        #expect(try await fixture.run("get-encryption-keys", as: EncryptionKeysReport.self) == enabled)
    }

    @Test("Names are checked, and what is not there cannot be changed", arguments: ["", "a b", "aws", "a/b"])
    func names(_ name: String) async throws {
        let fixture = try await Fixture()
        await #expect(throws: VerbError.self) {
            try await fixture.run("create-encryption-key", name, as: EncryptionKeysReport.self)
        }
        for verb in ["rotate-encryption-key", "disable-encryption-key", "enable-encryption-key"] {
            await #expect(throws: VerbError.self) { try await fixture.run(verb, name, as: EncryptionKeysReport.self) }
        }
    }

    @Test("Only gateways get keys")
    func sharing() {
        #expect(ClusterKeys.isShared(ClusterKeys.encryptionKey("k"), withUsers: true))
        #expect(!ClusterKeys.isShared(ClusterKeys.encryptionKey("k"), withUsers: false))
    }
}
