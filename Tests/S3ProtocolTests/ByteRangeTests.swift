import S3Protocol
import Testing

@Suite struct ByteRangeTests {
    @Test(
        "ranges select the bytes that RFC 9110 says, cut at the end",
        arguments: [
            ("bytes=0-0", 10, 0..<1), ("bytes=2-4", 10, 2..<5), ("bytes=5-", 10, 5..<10), ("bytes=-3", 10, 7..<10),
            ("bytes=-30", 10, 0..<10), ("bytes=8-99", 10, 8..<10), ("BYTES=1-2", 10, 1..<3),
            ("bytes= 1 - 2 ", 10, 1..<3),
        ] as [(String, UInt64, Range<UInt64>)])
    func satisfiable(_ header: String, _ size: UInt64, _ expected: Range<UInt64>) {
        #expect(ByteRange(header: header)?.resolved(size: size) == expected)
    }

    @Test(
        "a range without a single byte cannot be satisfied",
        arguments: [
            ("bytes=10-", 10), ("bytes=10-12", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=-5", 0),
        ] as [(String, UInt64)])
    func unsatisfiable(_ header: String, _ size: UInt64) throws {
        let range = try #require(ByteRange(header: header))
        #expect(range.resolved(size: size) == nil)
    }

    @Test(
        "a header that is not one range of bytes is ignored",
        arguments: [
            "bytes=5-2", "bytes=", "bytes=-", "bytes=a-b", "bytes=1-2,4-5", "items=0-1", "0-1", "bytes=+1-2",
            "bytes=99999999999999999999-", "bytes=1--2",
        ])
    func ignored(_ header: String) { #expect(ByteRange(header: header) == nil) }

    @Test("a copied range must have both ends within the source")
    func copied() throws {
        #expect(try ByteRange.copySource(header: "bytes=0-9", size: 10) == 0..<10)
        for header in ["bytes=0-10", "bytes=5-", "bytes=-5", "0-5", "bytes=5-4"] {
            #expect(throws: S3Error.self) { try ByteRange.copySource(header: header, size: 10) }
        }
    }
}
