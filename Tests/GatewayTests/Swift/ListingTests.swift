import NIOCore
import NIOHTTP1
import Testing

@testable import Gateway

@Suite("Listings of Swift")
struct SwiftListingTests {
    static func request(_ query: [String: String], headers: HTTPHeaders = [:]) -> SwiftRequest {
        SwiftRequest(
            id: "1", transaction: "tx1", method: "GET", rawPath: "/v1/a", path: Array("/v1/a".utf8), query: query,
            headers: headers, remote: "127.0.0.1", body: RequestBody(bytes: ByteBuffer()))
    }

    private func names(_ query: [String: String], of all: [String]) throws -> [String] {
        try ListingQuery(Self.request(query)).page(of: all.map { (Array($0.utf8), 0) }).map { entry in
            switch entry {
            case .entry(let name, _): String(decoding: name, as: UTF8.self)
            case .subdirectory(let name): "[" + String(decoding: name, as: UTF8.self) + "]"
            }
        }
    }

    @Test("Markers, prefixes, delimiters and order")
    func pages() throws {
        let all = ["b", "a", "d/1", "d/2", "d//3", "e", "é"]
        #expect(try names([:], of: all) == ["a", "b", "d//3", "d/1", "d/2", "e", "é"])
        #expect(try names(["delimiter": "/"], of: all) == ["a", "b", "[d/]", "e", "é"])
        #expect(try names(["delimiter": "/", "marker": "d/"], of: all) == ["e", "é"])
        #expect(try names(["delimiter": "//"], of: all) == ["a", "b", "[d//]", "d/1", "d/2", "e", "é"])
        #expect(try names(["prefix": "d/", "delimiter": "/"], of: all) == ["[d//]", "d/1", "d/2"])
        #expect(try names(["marker": "b", "end_marker": "e"], of: all) == ["d//3", "d/1", "d/2"])
        #expect(
            try names(["marker": "e", "end_marker": "a", "reverse": "true", "limit": "2"], of: all) == ["d/2", "d/1"])
        #expect(try names(["path": "d"], of: all) == ["d/1", "d/2"])
        #expect(try names(["limit": "0"], of: all).isEmpty)
        #expect(try names(["limit": "many"], of: all).count == 7)
        #expect(throws: SwiftError.self) { try names(["limit": "10001"], of: all) }
    }

    private static let formats: [(String?, String?, ListingFormat)] = [
        ("json", nil, .json), ("xml", "application/json", .xml), (nil, nil, .plain), ("nonsense", nil, .plain),
        (nil, "application/json", .json), (nil, "text/xml;q=0.5, text/plain;q=0.1", .xml), (nil, "*/*", .plain),
        (nil, "text/html, application/*;q=0.9", .json),
    ]

    @Test("The form: the parameter, then what the client accepts", arguments: formats)
    func format(parameter: String?, accept: String?, expected: ListingFormat) throws {
        let query = parameter.map { ["format": $0] } ?? [:]
        let headers: HTTPHeaders = accept.map { ["Accept": $0] } ?? [:]
        #expect(try ListingFormat(Self.request(query, headers: headers)) == expected)
    }

    @Test("What fits no form is not acceptable")
    func notAcceptable() {
        #expect(throws: SwiftError.self) { try ListingFormat(Self.request([:], headers: ["Accept": "image/png"])) }
    }

    @Test("Names of any bytes are shown whole in every form")
    func escaping() {
        let name = Array("a\"\\\n\u{1}<&é".utf8)
        func text(_ format: ListingFormat) -> String {
            var text = ListingText(format)
            text.open("container", name: "c")
            text.entry("object", name, [("bytes", .number(5))])
            text.subdirectory(Array("d/".utf8))
            text.close("container")
            return String(decoding: text.bytes, as: UTF8.self)
        }
        #expect(JSON(parsing: text(.json).utf8) == [["name": "a\"\\\n\u{1}<&é", "bytes": 5], ["subdir": "d/"]])
        #expect(text(.xml).contains("<name>a&quot;\\\n&#x1;&lt;&amp;é</name><bytes>5</bytes>"))
        #expect(text(.xml).contains("<subdir name=\"d/\"><name>d/</name></subdir>"))
    }

    @Test("Several ranges, as often as they are asked for")
    func ranges() {
        #expect(ByteRangeSet(header: "bytes=0-1,3-4, -2")?.resolved(size: 10) == [0..<2, 3..<5, 8..<10])
        #expect(ByteRangeSet(header: "bytes=0-1,0-1")?.resolved(size: 10) == [0..<2, 0..<2])
        #expect(ByteRangeSet(header: "bytes=20-,5-6")?.resolved(size: 10) == [5..<7])
        #expect(ByteRangeSet(header: "bytes=20-")?.resolved(size: 10) == [])
        for header in [
            "bytes=", "bytes=a-b", "items=0-1", "bytes=3-1", "bytes=" + String(repeating: "0-1,", count: 60),
        ] {
            #expect(ByteRangeSet(header: header) == nil)
        }
    }

    @Test("Names of headers as Swift writes them, and times")
    func texts() {
        #expect(SwiftHeaders.titled("x-object-meta-000") == "X-Object-Meta-000")
        #expect(SwiftHeaders.titled("x-object-meta-md5_sum") == "X-Object-Meta-Md5_Sum")
        #expect(SwiftHeaders.timestamp(1_795_219_914_094) == "1795219914.09400")
        #expect(SwiftHeaders.lastModifiedSeconds(1_001) == 2 && SwiftHeaders.lastModifiedSeconds(2_000) == 2)
    }
}
