import Model

/// One page of a bucket's keys as this disk has them.
public struct IndexQuery: Sendable {
    public var bucket: BucketID
    public var keyspace: Keyspace
    public var prefix: [UInt8]
    /// Only keys behind this one.
    public var after: [UInt8]
    /// Also leaves out every key that begins with `after`.
    public var afterIsPrefix: Bool
    /// Only keys before this one. Empty: no bound.
    public var until: [UInt8]
    public var direction: ListDirection
    /// Keys that have it behind the prefix are rolled up. Empty: none are.
    public var delimiter: [UInt8]
    public var limit: Int
    /// Leaves out tombstones.
    public var liveOnly: Bool
    /// Keys that are looked at for one page, listed or not.
    public var lookedAtMax: Int
    /// Only keys of these slots; nil: of all.
    public var slots: SlotSet?

    public init(
        bucket: BucketID, keyspace: Keyspace = .objects, prefix: [UInt8] = [], after: [UInt8] = [],
        afterIsPrefix: Bool = false, until: [UInt8] = [], direction: ListDirection = .forward, delimiter: [UInt8] = [],
        limit: Int, liveOnly: Bool = false,
        lookedAtMax: Int = 20_000
    ) {
        precondition(limit > 0 && lookedAtMax > 0)
        self.bucket = bucket
        self.keyspace = keyspace
        self.prefix = prefix
        self.after = after
        self.afterIsPrefix = afterIsPrefix
        self.until = until
        self.direction = direction
        self.delimiter = delimiter
        self.limit = limit
        self.liveOnly = liveOnly
        self.lookedAtMax = lookedAtMax
    }
}

public enum IndexEntry: Sendable, Equatable {
    /// Tombstones too: they win over what other replicas have not yet heard is deleted.
    case register(key: [UInt8], RegisterValue)
    /// `witness` is the live key below the prefix that comes first; prefixes without one are left out.
    case commonPrefix([UInt8], witness: [UInt8], tag: Ballot)

    /// The order of entries.
    public var key: [UInt8] {
        switch self {
        case .register(let key, _): key
        case .commonPrefix(let prefix, _, _): prefix
        }
    }

    /// The key that proves it: its own, or the witness.
    public var evidence: [UInt8] {
        if case .commonPrefix(_, let witness, _) = self { witness } else { key }
    }

    public var position: ListPosition {
        if case .commonPrefix = self { ListPosition(key: key, isPrefix: true) } else { ListPosition(key: key) }
    }
}

public struct IndexPage: Sendable, Equatable {
    public var entries: [IndexEntry] = []
    /// How far it reaches, when there is or may be more: it may be cut short inside a common prefix. nil: that is all.
    public var end: ListPosition?
    public var isTruncated: Bool { end != nil }
    public init() {}
}

extension MetadataIndex {
    /// Costs the page, whatever the bucket holds: what a common prefix rolls up is skipped by a seek, and where there is
    /// little to list, the page ends after a bounded number of keys.
    public func list(_ query: IndexQuery) throws -> IndexPage {
        let space = [IndexKeys.registers] + query.bucket.bytes + [query.keyspace.rawValue]
        var reader = PageReader(query: query, space: space)
        let bounds = query.bounds(space)
        guard bytesPrecede(bounds.lower, bounds.upper) else { return reader.page }
        try database.scan(from: bounds.lower, below: bounds.upper, query.direction) { try reader.visit($0) }
        return reader.page
    }

    /// The registers as they are now, in the order of names, from behind `after` (an index key).
    public func registers(after: [UInt8]? = nil) -> RegisterScan {
        let start = after.map { IndexKeys.register($0) + [0] } ?? [IndexKeys.registers]
        return RegisterScan(scan: database.scan(from: start, below: [IndexKeys.registers + 1]))
    }

    /// The chunks as they are now, in the order of blob and index, from behind `after`.
    public func chunks(after: BlobKey? = nil) -> ChunkScan {
        let start = after.map { IndexKeys.blob($0) + [0] } ?? [IndexKeys.blobs]
        return ChunkScan(scan: database.scan(from: start, below: [IndexKeys.blobs + 1]))
    }

    /// Every bucket that has or had objects here.
    public func allBucketTotals() throws -> [BucketID: BucketTotals] {
        var all: [BucketID: BucketTotals] = [:]
        let prefix = [IndexKeys.meta, UInt8(ascii: "/")]
        try database.scan(from: prefix, below: IndexKeys.successor(of: prefix)) { step in
            if let bucket = BucketID(step.key.dropFirst(2)), let totals = BucketTotals(decoding: step.value) {
                all[bucket] = totals
            }
            return .next
        }
        return all
    }
}

/// A snapshot of all registers. Used by one thread.
public struct RegisterScan: Sendable {
    let scan: DatabaseScan

    /// Until the body says false.
    public func visit(_ body: (RegisterName, Ballot) throws -> Bool) throws {
        try scan.visit { step in
            guard let name = RegisterName(indexKey: step.key.dropFirst()), let tag = IndexedRegister.tag(in: step.value)
            else { throw IndexError.corruption("unreadable entry of a register") }
            return try body(name, tag) ? .next : .stop
        }
    }

    /// The time is that of the deletion; nil: the register is no tombstone, or one with a summary, which listings show.
    public func visitTombstones(
        _ body: (RegisterName, Ballot, _ deletedMilliseconds: Int64?) throws -> Bool
    ) throws {
        try scan.visit { step in
            guard let name = RegisterName(indexKey: step.key.dropFirst()),
                let tag = IndexedRegister.tag(in: step.value),
                let isTombstone = IndexedRegister.isTombstone(in: step.value)
            else { throw IndexError.corruption("unreadable entry of a register") }
            let value = isTombstone ? IndexedRegister(decoding: step.value)?.value : nil
            let time = value.flatMap { $0.summary.isEmpty ? $0.deletedMilliseconds : nil }
            return try body(name, tag, time) ? .next : .stop
        }
    }

    /// With the raw position of each record.
    public func visit(_ body: (RegisterName, Ballot, _ position: UInt64) throws -> Bool) throws {
        try scan.visit { step in
            guard let name = RegisterName(indexKey: step.key.dropFirst()),
                let tag = IndexedRegister.tag(in: step.value),
                let position = IndexedRegister.position(in: step.value)
            else { throw IndexError.corruption("unreadable entry of a register") }
            return try body(name, tag, position) ? .next : .stop
        }
    }
}

/// A snapshot of all chunks. Used by one thread.
public struct ChunkScan: Sendable {
    let scan: DatabaseScan

    /// Until the body says false.
    public func visit(_ body: (ChunkName) throws -> Bool) throws {
        try scan.visit { step in
            guard let key = BlobKey(step.key.dropFirst()) else {
                throw IndexError.corruption("unreadable key of a blob")
            }
            guard let index = key.index, !BlobEntry.isDropped(step.value) else { return .next }
            return try body(ChunkName(blob: key.blob, index: index)) ? .next : .stop
        }
    }
}

/// Makes a page from the entries of a scan.
private struct PageReader {
    let query: IndexQuery
    let space: [UInt8]
    var page = IndexPage()
    private var lookedAt = 0

    init(query: IndexQuery, space: [UInt8]) {
        self.query = query
        self.space = space
    }

    mutating func visit(_ step: ScanStep) throws -> ScanNext {
        lookedAt += 1
        let isLast = lookedAt >= query.lookedAtMax
        let key = step.key[space.count...]
        guard let entry = try entry(step, key) else { return isLast ? end(at: ListPosition(key: Array(key))) : .next }
        guard page.entries.count < query.limit, !isLast else {
            if page.entries.count < query.limit { page.entries.append(entry) }
            return end(at: page.entries.last?.position)
        }
        page.entries.append(entry)
        guard case .commonPrefix(let common, _, _) = entry else { return .next }
        return .seek(query.end(of: space + common))
    }

    private mutating func end(at position: ListPosition?) -> ScanNext {
        page.end = position
        return .stop
    }

    /// nil: not to be listed.
    private func entry(_ step: ScanStep, _ key: Slice<UnsafeRawBufferPointer>) throws -> IndexEntry? {
        if let slots = query.slots, !slots.contains(SlotSet.slot(ofKey: Array(step.key.dropFirst()))) { return nil }
        let common = query.commonPrefix(of: key)
        guard let value = IndexedRegister(decoding: step.value)?.value else {
            throw IndexError.corruption("unreadable entry of a register")
        }
        if common != nil || query.liveOnly, !value.isLive { return nil }
        guard let common else { return .register(key: Array(key), value) }
        return .commonPrefix(common, witness: Array(key), tag: value.tag)
    }
}

extension IndexQuery {
    /// The part of the index that the listing goes through, whatever its direction.
    fileprivate func bounds(_ space: [UInt8]) -> (lower: [UInt8], upper: [UInt8]) {
        var lower = [space + prefix]
        var upper = [IndexKeys.successor(of: space + prefix)]
        switch direction {
        case .forward:
            if !after.isEmpty { lower.append(afterIsPrefix ? end(of: space + after) : space + after + [0]) }
            if !until.isEmpty { upper.append(space + until) }
        case .backward:
            if !after.isEmpty { upper.append(space + after) }
            if !until.isEmpty { lower.append(space + until + [0]) }
        }
        return (lower.max(by: bytesPrecede) ?? [], upper.min(by: bytesPrecede) ?? [])
    }

    /// Where all keys that begin with this have been passed.
    fileprivate func end(of prefix: [UInt8]) -> [UInt8] {
        direction == .forward ? IndexKeys.successor(of: prefix) : prefix
    }

    /// The key up to the first delimiter behind the prefix.
    fileprivate func commonPrefix(of key: Slice<UnsafeRawBufferPointer>) -> [UInt8]? {
        guard !delimiter.isEmpty else { return nil }
        var start = key.startIndex + prefix.count
        while start + delimiter.count <= key.endIndex {
            if key[start..<start + delimiter.count].elementsEqual(delimiter) {
                return Array(key[..<(start + delimiter.count)])
            }
            start += 1
        }
        return nil
    }
}
