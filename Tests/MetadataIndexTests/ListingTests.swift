import MetadataIndex
import Model
import Testing

@Suite struct ListingTests {
    private let fixture: IndexFixture

    init() throws {
        fixture = try IndexFixture()
        let keys = ["a", "b/1", "b/2", "b/c/1", "c", "d/1", "é", "z"]
        for (number, key) in keys.enumerated() {
            try fixture.apply(.register(name(key), .sample(UInt64(number + 1), deleted: key == "d/1")))
        }
        try fixture.apply(.register(name("other", in: BucketID(high: 7, low: 10)), .sample(1)))
        try fixture.apply(
            .register(RegisterName(bucket: bucket, keyspace: .uploads, key: Array("b/1".utf8)), .sample(1)))
    }

    private func list(
        prefix: String = "", after: String = "", skipping: Bool = false, delimiter: String = "", limit: Int = 100
    ) throws -> (keys: [String], isTruncated: Bool) {
        let page = try fixture.index.list(
            IndexQuery(
                bucket: bucket, prefix: Array(prefix.utf8), after: Array(after.utf8), afterIsPrefix: skipping,
                delimiter: Array(delimiter.utf8), limit: limit))
        return (page.entries.map(\.text), page.isTruncated)
    }

    @Test("A listing has the keys of its bucket and keyspace in the order of bytes, tombstones too")
    func everything() throws {
        #expect(try list().keys == ["a", "b/1", "b/2", "b/c/1", "c", "d/1", "z", "é"])
    }

    @Test("A prefix narrows, `after` is exclusive, and may skip all that begins with it")
    func prefixAndAfter() throws {
        #expect(try list(prefix: "b/").keys == ["b/1", "b/2", "b/c/1"])
        #expect(try list(after: "b/1").keys.first == "b/2")
        #expect(try list(after: "b/", skipping: true).keys.first == "c")
        #expect(try list(prefix: "b/", after: "a").keys == ["b/1", "b/2", "b/c/1"])
        #expect(try list(prefix: "b/", after: "c").keys.isEmpty)
    }

    @Test("A delimiter rolls up, a prefix with tombstones only is left out, the witness is the first live key")
    func delimiter() throws {
        #expect(try list(delimiter: "/").keys == ["a", "b/…", "c", "z", "é"])
        #expect(try list(prefix: "b/", delimiter: "/").keys == ["b/1", "b/2", "b/c/…"])
        try fixture.apply(.register(name("b/1"), .sample(50, deleted: true)))
        let page = try fixture.index.list(IndexQuery(bucket: bucket, delimiter: Array("/".utf8), limit: 2))
        #expect(
            page.entries.last
                == .commonPrefix(Array("b/".utf8), witness: Array("b/2".utf8), tag: Ballot(counter: 3, writer: 1)))
        #expect(page.isTruncated)
    }

    @Test("A page ends after a bounded number of keys, also inside a common prefix, and going on misses nothing")
    func boundedLook() throws {
        for number in 0..<200 {
            try fixture.apply(.register(name("d/\(1000 + number)"), .sample(UInt64(number + 100), deleted: true)))
        }
        try fixture.apply(.register(name("d/x"), .sample(500)))
        let ways: [(String, Bool)] = [("", false), ("", true), ("/", false), ("/", true)]
        for (delimiter, liveOnly) in ways {
            for direction in [ListDirection.forward, .backward] {
                try checkBoundedLook(delimiter, liveOnly, direction)
            }
        }
    }

    private func checkBoundedLook(_ delimiter: String, _ liveOnly: Bool, _ direction: ListDirection) throws {
        func query(after: ListPosition?, lookedAtMax: Int = 20_000) -> IndexQuery {
            IndexQuery(
                bucket: bucket, after: after?.key ?? [], afterIsPrefix: after?.isPrefix ?? false,
                direction: direction, delimiter: Array(delimiter.utf8), limit: 1000, liveOnly: liveOnly,
                lookedAtMax: lookedAtMax)
        }
        let whole = try fixture.index.list(query(after: nil))
        #expect(whole.end == nil)
        for most in [1, 7, 50] {
            var found: [IndexEntry] = []
            var after: ListPosition?
            var pages = 0
            repeat {
                let page = try fixture.index.list(query(after: after, lookedAtMax: most))
                if let after, let end = page.end { #expect(after.precedes(end, direction)) }
                #expect(page.entries.count <= most)
                found += page.entries
                after = page.end
                pages += 1
            } while after != nil
            #expect(found == whole.entries, "\(direction), delimiter \(delimiter), \(most) at a time")
            #expect(pages <= 212 / most + 2)
        }
        #expect(whole.entries.contains { $0.evidence == Array("d/x".utf8) })
    }

    @Test(
        "Any page, in either direction, is what a sorted list of the keys gives",
        arguments: 1...8 as ClosedRange<UInt64>
    )
    func equalsModel(seed: UInt64) throws {
        var random = SeededGenerator(state: seed)
        let model = try ListingModel(fixture, in: BucketID(high: 8, low: seed), &random)
        for _ in 0..<300 {
            let query = model.query(&random)
            let page = try fixture.index.list(query)
            let expected = model.entries(query)
            #expect(page.entries.map(\.text) == Array(expected.prefix(query.limit)).map(\.text), "\(query)")
            #expect(page.entries.map(\.evidence) == expected.prefix(query.limit).map(\.evidence), "\(query)")
            #expect(page.isTruncated == (expected.count > query.limit), "\(query)")
        }
    }

    @Test("A page says whether there is more")
    func truncation() throws {
        #expect(try list(limit: 3).isTruncated)
        #expect(try list(limit: 3).keys == ["a", "b/1", "b/2"])
        #expect(try !list(limit: 8).isTruncated)
        #expect(try !list(after: "z", limit: 1).isTruncated)
        // Behind "c" there is only a rolled-up tombstone, "z" and "é".
        #expect(try list(after: "c", delimiter: "/", limit: 1).keys == ["z"])
    }
}
