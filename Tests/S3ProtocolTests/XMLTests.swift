import S3Protocol
import Testing

@Suite struct XMLTests {
    private func parse(_ text: String, sizeMax: Int = 1 << 20) throws -> XMLNode {
        try XMLReader.parse(Array(text.utf8), sizeMax: sizeMax)
    }

    @Test("elements, attributes, text and character data come through, prefixes do not")
    func tree() throws {
        let root = try parse(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:A xmlns:s=\"urn:x\" k=\"v\"><B> x &amp; y </B><s:C><![CDATA[<>]]></s:C></s:A>"
        )
        #expect(root.name == "A")
        #expect(root.attributes["k"] == "v")
        #expect(root.value("B") == "x & y")
        #expect(root.child("B")?.text == " x & y ")
        #expect(root.value("C") == "<>")
    }

    @Test(
        "what no client of S3 sends is refused",
        arguments: [
            "", "no xml", "<a>", "<a></b>", "<a><b></a>", "<!DOCTYPE a><a/>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "<a>&undefined;</a>", "<a>\u{0}</a>",
            "<?xml version=\"1.0\" encoding=\"UTF-7\"?><a/>", "<?xml version='1.0' encoding='utf-16'?><a/>",
            String(repeating: "<a>", count: 17) + String(repeating: "</a>", count: 17),
        ])
    func refused(_ text: String) { #expect(code { _ = try parse(text) } == .malformedXML) }

    @Test("bytes that are not UTF-8 are refused")
    func encoding() {
        #expect(code { _ = try XMLReader.parse([0xFF, 0xFE, 0x3C, 0x00], sizeMax: 100) } == .malformedXML)
        #expect(code { _ = try XMLReader.parse(Array("<a>".utf8) + [0xC0] + Array("</a>".utf8), sizeMax: 100) } != nil)
    }

    @Test("a body over the limit is refused")
    func size() { #expect(code { _ = try parse("<a>0123456789</a>", sizeMax: 10) } == .malformedXML) }

    @Test("what the writer writes, the reader reads")
    func roundTrip() throws {
        var writer = XMLWriter()
        let text = "a<b>&\"'\r\n\tü 日本"
        writer.element("Root", namespace: "urn:x") { root in
            root.element("Text", text)
            root.element("Number", 42)
            root.element("Flag", true)
            root.element("Absent", ifPresent: nil)
        }
        let root = try XMLReader.parse(writer.bytes, sizeMax: 1000)
        #expect(root.child("Text")?.text == text)
        #expect(root.value("Number") == "42")
        #expect(root.value("Flag") == "true")
        #expect(root.children.count == 3)
    }

    @Test("an error's document has code, message, resource, request id and further fields")
    func errors() throws {
        let error = S3Error(.noSuchKey, fields: [.init("Key", "a&b")])
        let root = try XMLReader.parse(error.xml(requestID: "r1", resource: "/bucket/a&b"), sizeMax: 10_000)
        #expect(root.name == "Error")
        #expect(root.value("Code") == "NoSuchKey")
        #expect(root.value("Message") == "The specified key does not exist.")
        #expect(root.value("Key") == "a&b")
        #expect(root.value("Resource") == "/bucket/a&b")
        #expect(root.value("RequestId") == "r1")
        #expect(error.status == 404)
    }

    @Test("every code has a sentence of its own and an error status", arguments: S3ErrorCode.allCases)
    func codes(_ code: S3ErrorCode) {
        #expect(code.message != code.rawValue)
        #expect((300..<600).contains(code.status))
    }

    @Test("damaged documents are read or refused, nothing else", arguments: 0..<20)
    func damaged(_ seed: UInt64) {
        let document = AccessControlPolicy(owner: "me & you", canned: .publicReadWrite).xml()
        var random = Numbers(state: seed)
        for _ in 0..<50 {
            var bytes = document
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.insert(contentsOf: bytes[place...].prefix(20), at: place)
                }
            }
            _ = try? AccessControlPolicy(parsing: bytes)
        }
    }

    /// A linear congruential generator: the same numbers for the same seed.
    private struct Numbers: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 32
        }
    }
}
