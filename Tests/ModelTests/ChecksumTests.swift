import Checksums
import Model
import Testing

@Suite struct ChecksumTests {
    @Test("checksums equal their published check values")
    func checkValues() {
        let digits = Array("123456789".utf8)
        #expect(crc32c(digits) == 0xE306_9283)
        #expect(crc32(digits) == 0xCBF4_3926)
        #expect(hexDigits(of: HashAlgorithm.md5.hash([])) == "d41d8cd98f00b204e9800998ecf8427e")
        #expect(
            hexDigits(of: HashAlgorithm.sha256.hash("abc"))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            hexDigits(of: hmac(.sha256, key: "Jefe", "what do ya want for nothing?"))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    @Test("a checksum may be computed in pieces")
    func pieces() {
        let bytes = Array("a martlet never lands".utf8)
        #expect(crc32c(Array(bytes[7...]), continuing: crc32c(Array(bytes[..<7]))) == crc32c(bytes))
        #expect(crc32(Array(bytes[7...]), continuing: crc32(Array(bytes[..<7]))) == crc32(bytes))
    }

    @Test("identifiers keep their bytes and their order")
    func identifiers() {
        let id = BlobID(high: 0x0102_0304_0506_0708, low: 0x090a_0b0c_0d0e_0f10)
        #expect(BlobID(id.bytes) == id)
        #expect(BlobID(hex: id.description) == id)
        #expect(id < BlobID(high: 0x0102_0304_0506_0709, low: 0))
    }
}
