import MetadataIndex
import Model
import NIOCore
import ObjectLog
import Register
import Ring
import Testing

@testable import Storage

/// Tombstones are dropped, and nothing older comes back.
@Suite struct PurgeTests {
    private let fixture: DiskFixture
    private var disk: DiskReplica { fixture.disk }

    init() throws { fixture = try DiskFixture() }

    private func delete(_ key: String, _ counter: UInt64) throws {
        let result = try fixture.commit(name(key), .sample(counter, deleted: true))
        #expect(result.outcome == .accepted)
    }

    @discardableResult
    private func purge(_ key: String, _ counter: UInt64) throws -> Int {
        try Pending.of { disk.purge([PurgedRegister(name: name(key), tag: ballot(counter))], $0) }
    }

    private func learn(_ key: String, _ counter: UInt64) throws -> LearnResult {
        try Pending.of { disk.learn(name(key), .sample(counter), blob: nil, $0) }
    }

    private func compactAll() throws { while try disk.compactor.compactOne(disk) != nil {} }

    @Test("A purged key is gone and counts nowhere, late messages of its past are refused, a new chain begins later")
    func purged() throws {
        try fixture.put(name("k"), 5, "content")
        try delete("k", 7)
        let digests = try disk.partitionDigests(.init(ring: .oneNode))
        #expect(try purge("k", 6) == 0)
        #expect(try purge("k", 7) == 1)
        #expect(try purge("k", 7) == 0)
        for isIndexLost in [false, false, true] {
            #expect(try fixture.read(name("k")).state == nil)
            #expect(disk.index.totals.tombstones == 0 && disk.index.totals.activeRecords == 0)
            guard case .tooOld(let counter) = try learn("k", 5), counter >= 7 else {
                Issue.record("a state from before the purge is learned")
                return
            }
            #expect(try fixture.commit(name("k"), .sample(7)).outcome == .refused)
            let made = try disk.partitionDigests(.init(ring: .oneNode))
            #expect(made != digests && made == [.init()])
            try fixture.restart(losingIndex: isIndexLost)
        }
        let staged = try fixture.stage(name("k"), 1 << 22)
        #expect(staged.promised && staged.state == nil && staged.base == 7 + UInt64(Limits.recentOperations))
        try fixture.put(name("k"), 1 << 23, "again")
        try fixture.restart(losingIndex: true)
        #expect(try fixture.read(name("k")).blob?.content.bytes == ByteBuffer(string: "again"))
    }

    @Test("A delete marker, which listings show, stays")
    func deleteMarker() throws {
        var marker = ReplicaState.sample(7, deleted: true)
        marker.record?.summary = [1]
        _ = try fixture.commit(name("k"), marker)
        #expect(try purge("k", 7) == 0)
        #expect(try fixture.read(name("k")).state == marker)
        try disk.index.registers().visitTombstones { _, _, milliseconds in
            #expect(milliseconds == nil)
            return true
        }
    }

    @Test("Only tombstones that are old enough are listed")
    func listed() throws {
        try delete("a", 1)
        try fixture.put(name("b"), 2, "content")
        var found: [String: Int64?] = [:]
        try disk.index.registers().visitTombstones { name, _, milliseconds in
            found[String(decoding: name.key, as: UTF8.self)] = milliseconds
            return true
        }
        #expect(found.count == 2 && found["b"] == .some(nil))
        let age = DiskReplica.wallMilliseconds - (found["a"]!)!
        #expect(age >= 0 && age < 60_000)
    }

    private static let text = String(repeating: "words ", count: 100_000)

    /// More content than a segment takes, with keys of their own.
    private func fill(_ counters: ClosedRange<UInt64>) throws {
        for counter in counters { try fixture.put(name("fill \(counter)"), counter, Self.text) }
    }

    @Test("Compaction frees a tombstone, its past, at last the record of the purge; a new index brings nothing back")
    func compacted() throws {
        for counter in UInt64(1)...8 { try fixture.put(name("key \(counter)"), counter, Self.text) }
        for counter in UInt64(1)...8 { try delete("key \(counter)", 10 + counter) }
        try fill(20...40)
        for counter in UInt64(1)...8 { #expect(try purge("key \(counter)", 10 + counter) == 1) }
        #expect(disk.index.purgedCount == 8)
        try fill(41...60)
        for counter in UInt64(20)...60 { try delete("fill \(counter)", 100 + counter) }
        try fill(200...210)
        try compactAll()
        try fixture.restart(losingIndex: true)
        for counter in UInt64(1)...8 { #expect(try fixture.read(name("key \(counter)")).state == nil) }
        #expect(disk.index.floor.ballot == ballot(18))
        // Above the ceiling, up to which everything counts as promised after the restart.
        let later: UInt64 = 1 << 22
        try fill(later + 300...later + 310)
        for counter in UInt64(200)...210 { try delete("fill \(counter)", later + 400 + counter) }
        try fill(later + 700...later + 710)
        try compactAll()
        #expect(disk.index.purgedCount == 0, "the oldest segments are gone, and what they needed")
        try fixture.restart(losingIndex: true)
        for counter in UInt64(1)...8 { #expect(try fixture.read(name("key \(counter)")).state == nil) }
        #expect(disk.index.floor.ballot == ballot(18) && disk.index.totals.tombstones == 52)
    }

    @Test("What is purged between verdict and copy is not copied behind its purge")
    func meanwhile() throws {
        try delete("k", 1)
        try fill(2...30)
        do {
            let segment = try #require(disk.settledSegments.first)
            var isPurged = false
            // Called before a record is read, and before it is appended.
            var calls = 0
            var compaction = SegmentCompaction(segment, of: disk, window: MoveWindow(sizeMax: 1 << 20)) { [disk] _ in
                calls += 1
                guard !isPurged, calls == 2 else { return }
                isPurged = true
                let answer = Pending<Int>()
                disk.purge([PurgedRegister(name: name("k"), tag: ballot(1))], answer.completion)
                let count = try answer.wait()
                #expect(count == 1)
            }
            guard case .removed = try compaction.run() else {
                Issue.record("the segment is held")
                return
            }
            #expect(isPurged)
        }
        try fixture.restart(losingIndex: true)
        #expect(try fixture.read(name("k")).state == nil && disk.index.totals.tombstones == 0)
    }

    @Test("A floor that another replica has is durable when it is taken over")
    func carried() throws {
        try disk.raiseFloor(to: PurgeFloor(ballot: ballot(9), sequence: 40))
        for isIndexLost in [false, true] {
            try fixture.restart(losingIndex: isIndexLost)
            #expect(disk.floor == PurgeFloor(ballot: ballot(9), sequence: 40))
            #expect(try learn("k", 9) == .tooOld(counter: max(9, disk.index.ceiling)))
        }
    }
}

extension RingTable {
    /// One partition on one node.
    fileprivate static let oneNode = RingTable(
        epoch: 1, hashKey: Array(0..<16), partitions: [.init(current: ["storage-1"])])!
}
