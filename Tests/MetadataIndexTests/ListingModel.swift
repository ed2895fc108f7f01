import Model

@testable import MetadataIndex

/// Keys of a bucket in a sorted list, and what listings must show of them.
struct ListingModel {
    private static let pieces = ["a", "b", "/", "//", "é", "\u{1}", "zz"]
    private let bucket: BucketID
    /// Sorted; which of them are tombstones.
    private let keys: [(key: [UInt8], isLive: Bool)]

    init(_ fixture: IndexFixture, in bucket: BucketID, _ random: inout SeededGenerator) throws {
        self.bucket = bucket
        var keys: [[UInt8]: Bool] = [[0xFF, 0xFF]: true, [0xFF]: true]
        for _ in 0..<150 { keys[Self.key(&random)] = Int.random(in: 0..<4, using: &random) > 0 }
        for (key, isLive) in keys {
            try fixture.apply(.register(RegisterName(bucket: bucket, key: key), .sample(1, deleted: !isLive)))
        }
        // Neighbours that must never be seen.
        for low in [bucket.low - 1, bucket.low + 1] {
            let name = RegisterName(bucket: BucketID(high: bucket.high, low: low), key: Self.key(&random))
            try fixture.apply(.register(name, .sample(1)))
        }
        self.keys = keys.map { ($0, $1) }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }

    private static func key(_ random: inout SeededGenerator) -> [UInt8] {
        (0..<Int.random(in: 1...6, using: &random)).flatMap { _ in Array(pieces.randomElement(using: &random)!.utf8) }
    }

    func query(_ random: inout SeededGenerator) -> IndexQuery {
        func sometimes(_ bytes: [UInt8]) -> [UInt8] { Bool.random(using: &random) ? bytes : [] }
        let known = keys.randomElement(using: &random)!.key
        return IndexQuery(
            bucket: bucket, prefix: sometimes(Array(known.prefix(Int.random(in: 0...3, using: &random)))),
            after: sometimes(Bool.random(using: &random) ? known : Self.key(&random)),
            afterIsPrefix: Bool.random(using: &random),
            until: sometimes(Bool.random(using: &random) ? keys.randomElement(using: &random)!.key : Self.key(&random)),
            direction: Bool.random(using: &random) ? .forward : .backward,
            delimiter: sometimes(Array(Bool.random(using: &random) ? "/".utf8 : "//".utf8)),
            limit: [1, 2, 5, 1000].randomElement(using: &random)!, liveOnly: Bool.random(using: &random))
    }

    /// All that the query is about, whatever its limit.
    func entries(_ query: IndexQuery) -> [IndexEntry] {
        let after = query.after.isEmpty ? nil : ListPosition(key: query.after, isPrefix: query.afterIsPrefix)
        var entries: [IndexEntry] = []
        for (key, isLive) in query.direction == .forward ? keys : keys.reversed() {
            guard key.starts(with: query.prefix), after?.covers(key, query.direction) != true,
                query.until.isEmpty || query.direction.precedes(key, query.until)
            else { continue }
            if let common = commonPrefix(of: key, query) {
                guard isLive, entries.last?.key != common else { continue }
                entries.append(.commonPrefix(common, witness: key, tag: IndexedRegister.sample(1).value.tag))
            } else if isLive || !query.liveOnly {
                entries.append(.register(key: key, IndexedRegister.sample(1, deleted: !isLive).value))
            }
        }
        return entries
    }

    private func commonPrefix(of key: [UInt8], _ query: IndexQuery) -> [UInt8]? {
        guard !query.delimiter.isEmpty,
            let found = key.dropFirst(query.prefix.count).firstRange(of: query.delimiter)
        else { return nil }
        return Array(key[..<found.upperBound])
    }
}
