import Model
import Testing

@Suite struct HexDigitsTests {
    @Test("Every byte comes back from its digits, of either case")
    func roundTrip() {
        let all = Array(UInt8.min...UInt8.max)
        #expect(bytes(ofHex: hexDigits(of: all)) == all)
        #expect(bytes(ofHex: hexDigits(of: all).uppercased()) == all)
        #expect(bytes(ofHex: "") == [])
    }

    @Test("Text that is no bytes in hex digits is refused", arguments: ["a", "0g", "+1", " 1", "0x", "é", "1234567"])
    func refused(text: String) {
        #expect(bytes(ofHex: text) == nil)
    }
}
