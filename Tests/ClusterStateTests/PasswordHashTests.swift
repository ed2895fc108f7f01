import ClusterState
import Testing

@Suite("Hashes of passwords")
struct PasswordHashTests {
    private static let salt = String(repeating: "5a", count: 16)
    private static let key = String(repeating: "c3", count: 32)

    @Test("A password is found right by its text, and no other")
    func textOfAHash() throws {
        let stored = try #require(PasswordHash(PasswordHash(of: "secret").description))
        #expect(stored.matches("secret"))
        #expect(!stored.matches("Secret"))
        #expect(!stored.matches(""))
    }

    @Test("Two hashes of one password differ")
    func salted() { #expect(PasswordHash(of: "secret").description != PasswordHash(of: "secret").description) }

    @Test("Nobody has the password of nobody, and each such hash is another one")
    func nobody() throws {
        let nobody = PasswordHash.ofNobody()
        #expect(!nobody.matches(""))
        #expect(!nobody.matches("secret"))
        #expect(nobody != .ofNobody())
        // It costs as much to check as that of a user.
        let cost = PasswordHash(of: "secret").description.split(separator: "$").prefix(4)
        #expect(nobody.description.split(separator: "$").prefix(4) == cost)
    }

    @Test(
        "What is no hash, or would cost too much to check, is refused",
        arguments: [
            "", "scrypt", "argon2$14$8$1$\(salt)$\(key)", "scrypt$14$8$1$\(salt)$c3", "scrypt$14$8$1$5a$\(key)",
            "scrypt$21$8$1$\(salt)$\(key)", "scrypt$20$32$1$\(salt)$\(key)", "scrypt$14$0$1$\(salt)$\(key)",
            "scrypt$14$8$1$\(salt)$\(key)$",
        ])
    func refused(text: String) { #expect(PasswordHash(text) == nil) }
}
