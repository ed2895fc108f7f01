import NIOCore
import Testing
import Wire

@testable import Gateway

@Suite("Manifests of static large objects")
struct ManifestDocumentTests {
    private func parse(_ text: String) throws(SwiftError) -> [GivenSegment] {
        try ManifestDocument.parse(ByteBuffer(string: text), own: "/c/large")
    }

    private func fault(_ text: String) -> SwiftError? {
        do throws(SwiftError) {
            _ = try parse(text)
            return nil
        } catch { return error }
    }

    @Test("Paths, tags, sizes, ranges and inline data")
    func good() throws {
        let given = try parse(
            #"""
            [{"path": "/c/a/b", "etag": "\"x\"", "size_bytes": 5, "range": "1-2"}, {"path": "c/ü", "etag": null},
             {"data": "YWI"}, {"path": "/c/a", "size_bytes": "7", "range": "-3"}]
            """#)
        #expect(
            given == [
                .object(path: "c/a/b", etag: "x", size: 5, range: .bounded(first: 1, last: 2)),
                .object(path: "c/ü", etag: nil, size: nil, range: nil), .data(Array("ab".utf8)),
                .object(path: "c/a", etag: nil, size: 7, range: .suffix(3)),
            ])
    }

    @Test("All faults are told, each with its place")
    func faults() {
        let answer = fault(#"[{"path": "/c/large", "size_bytes": -1}, {"path": "x"}, 5, {"data": "?"}, {"data": ""}]"#)
        #expect(answer?.status == 400)
        #expect(
            answer?.message?.split(separator: "\n").map(String.init) == [
                "Index 0: invalid size_bytes", "Index 0: manifest must not include itself as a segment",
                "Index 1: path does not refer to an object. Path must be of the form /container/object.",
                "Index 2: not a JSON object", "Index 3: data must be valid base64",
                "Index 4: too small; each segment must be at least 1 byte.",
            ])
    }

    @Test("A thousand objects are the most")
    func limit() {
        let entry = #"{"path": "/c/o"}"#
        #expect(fault("[" + Array(repeating: entry, count: 1000).joined(separator: ",") + "]") == nil)
        #expect(fault("[" + Array(repeating: entry, count: 1001).joined(separator: ",") + "]")?.status == 413)
    }

    private static let segments = [
        ManifestSegment(container: "c", object: "1", etag: "a", size: 10, first: 0, count: 10),
        ManifestSegment(container: "c", object: "2", etag: "b", size: 100, first: 20, count: 5, ranged: true),
        ManifestSegment(etag: "c", size: 3, first: 0, count: 3, data: [1, 2, 3]),
    ]

    @Test("A range of the whole is ranges of the segments", arguments: 0..<18)
    func pieces(first: Int) {
        for last in first..<18 {
            let pieces = ManifestSegment.pieces(of: Self.segments, UInt64(first)..<UInt64(last + 1))
            let bytes = pieces.flatMap { piece in piece.range.map { "\(piece.segment.etag)\($0)" } }
            let all =
                (0..<10).map { "a\($0)" } + (20..<25).map { "b\($0)" } + (0..<3).map { "c\($0)" }
            #expect(bytes == Array(all[first...last]))
        }
    }

    @Test("Tags of large objects are those of real Swift")
    func etags() {
        // md5 of "ab:20-24;c"
        #expect(ManifestSegment.etag(of: Self.segments) == "b130bd88b1b23e559dc3e29dc41641a9")
        #expect(ManifestSegment.size(of: Self.segments) == 18)
        var endless = Self.segments
        endless[0].count = .max
        #expect(ManifestSegment.size(of: endless) == nil)
    }

    @Test("What is shown raw can be put again")
    func raw() throws {
        let bytes = ManifestDocument.encoded(Self.segments, isRaw: true)
        let given = try ManifestDocument.parse(ByteBuffer(bytes: bytes), own: "/c/large")
        #expect(
            given == [
                .object(path: "c/1", etag: "a", size: 10, range: nil),
                .object(path: "c/2", etag: "b", size: 100, range: .bounded(first: 20, last: 24)), .data([1, 2, 3]),
            ])
    }
}
