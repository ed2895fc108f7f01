import ClusterState
import Model
import Testing

@Suite("Master key")
struct MasterKeyTests {
    private let key = MasterKey(bytes: Array(0..<32))!

    @Test("What was sealed is unsealed, whatever its length", arguments: [0, 1, 15, 16, 40, 5_000])
    func roundTrip(length: Int) throws {
        let secret = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
        let sealed = key.seal(secret)
        #expect(try key.unseal(sealed) == secret)
        #expect(sealed.count == length + 29)
        #expect(key.seal(secret) != sealed, "the nonce is new each time")
    }

    @Test("A flipped bit anywhere, another key, or a cut value is refused")
    func damage() {
        let sealed = key.seal(Array("secret".utf8))
        for index in sealed.indices {
            var damaged = sealed
            damaged[index] ^= 1
            #expect(throws: MasterKey.UnsealError.self) { try key.unseal(damaged) }
        }
        #expect(throws: MasterKey.UnsealError.notAuthentic) { try MasterKey.random().unseal(sealed) }
        #expect(throws: MasterKey.UnsealError.tooShort) { try key.unseal(Array(sealed.prefix(28))) }
        #expect(throws: MasterKey.UnsealError.unknownVersion(9)) { try key.unseal([9] + sealed.dropFirst()) }
    }

    @Test("Opens a value of another AES-256-GCM")
    func knownValue() throws {
        // NIST GCM test case 14: key, nonce and plaintext of zeros.
        let zeros = MasterKey(bytes: [UInt8](repeating: 0, count: 32))!
        let ciphertext = try #require(bytes(ofHex: "cea7403d4d606b6e074ec5d3baf39d18"))
        let tag = try #require(bytes(ofHex: "d0d1c8a799996bf0265b98b5d48ab919"))
        let sealed = [1] + [UInt8](repeating: 0, count: 12) + ciphertext + tag
        #expect(try zeros.unseal(sealed) == [UInt8](repeating: 0, count: 16))
    }
}
