import S3Protocol
import Testing

@Suite struct HTTPDateTests {
    @Test("the three forms of a date on input mean the same second")
    func forms() {
        #expect(HTTPDate.parse("Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777)
        #expect(HTTPDate.parse("Sunday, 06-Nov-94 08:49:37 GMT") == 784_111_777)
        #expect(HTTPDate.parse("Sun Nov  6 08:49:37 1994") == 784_111_777)
    }

    @Test(
        "what is no date is refused",
        arguments: [
            "", "yesterday", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 31 Feb 2023 00:00:00 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov -1 08:49:37 GMT", "Sun, 0 Nov 1994 08:49:37 GMT", "99999999999999999999",
        ])
    func refused(_ text: String) { #expect(HTTPDate.parse(text) == nil) }

    @Test(
        "every date that is written is read back",
        arguments: [0, 784_111_777, 951_782_400, 951_868_800, 1_709_164_800, 4_102_444_799, -1] as [Int64])
    func roundTrip(_ seconds: Int64) { #expect(HTTPDate.parse(HTTPDate.format(seconds)) == seconds) }

    @Test("dates are written in one fixed form")
    func written() {
        #expect(HTTPDate.format(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate.iso8601(milliseconds: 1_255_369_830_042) == "2009-10-12T17:50:30.042Z")
        #expect(HTTPDate.iso8601(milliseconds: 951_782_400_000) == "2000-02-29T00:00:00.000Z")
    }
}
