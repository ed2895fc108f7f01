import Model
import Testing

@testable import Ring

@Suite struct PositionHashTests {
    private static let key = (0..<16).map { UInt8($0) }

    @Test(
        "SipHash-2-4-128 gives the published values",
        arguments: [
            (0, "a3817f04ba25a8e66df67214c7550293"), (1, "da87c1d86b99af44347659119b22fc45"),
            (7, "a1f1ebbed8dbc153c0b84aa61ff08239"), (8, "3b62a9ba6258f5610f83e264f31497b4"),
            (15, "5493e99933b0a8117e08ec0f97cfc3d9"), (63, "5150d1772f50834a503e069a973fbd7c"),
        ])
    func published(length: Int, expected: String) throws {
        let (first, second) = try #require(PositionHash(key: Self.key)).hash((0..<length).map { UInt8($0) })
        let bytes = [first, second].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
        }
        #expect(hexDigits(of: bytes) == expected)
    }

    @Test("a position is the start of the hash, so its top bits are those of the first byte")
    func position() throws {
        #expect(try #require(PositionHash(key: Self.key)).position([]) == 0xa381_7f04_ba25_a8e6)
    }

    @Test("every length is hashed in full", arguments: 0..<40)
    func everyByteCounts(length: Int) throws {
        let hash = try #require(PositionHash(key: Self.key))
        var bytes = [UInt8](repeating: 7, count: length)
        let original = hash.hash(bytes)
        for index in bytes.indices {
            bytes[index] ^= 1
            #expect(hash.hash(bytes) != original)
            bytes[index] ^= 1
        }
        #expect(hash.hash(bytes + [0]) != original)
    }

    @Test("a key of another size is refused")
    func keySize() {
        #expect(PositionHash(key: []) == nil)
        #expect(PositionHash(key: [UInt8](repeating: 0, count: 17)) == nil)
    }
}
