import Model

/// A tombstone that was dropped: no record of this key up to the tag counts any more.
public struct PurgedRegister: Sendable, Hashable {
    public var name: RegisterName
    public var tag: Ballot

    public init(name: RegisterName, tag: Ballot) {
        self.name = name
        self.tag = tag
    }
}

/// What the disk has purged, for all its keys together: the highest tag and the highest sequence. Part of the log; what it is
/// for stands with the replica's floor.
public struct IndexFloor: Sendable, Equatable {
    public var ballot: Ballot
    public var sequence: UInt64

    public init(ballot: Ballot = .zero, sequence: UInt64 = 0) {
        self.ballot = ballot
        self.sequence = sequence
    }

    /// Whether it is at or above another one in both.
    public func covers(_ other: IndexFloor) -> Bool { other.ballot <= ballot && other.sequence <= sequence }

    mutating func rise(to other: IndexFloor) {
        ballot = max(ballot, other.ballot)
        sequence = max(sequence, other.sequence)
    }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        for number in [ballot.counter, ballot.writer, sequence] { bytes.appendNumber(number) }
        return bytes
    }

    init?(decoding bytes: UnsafeRawBufferPointer) {
        var reader = ByteReader(bytes)
        guard let counter: UInt64 = reader.number(), let writer: UInt64 = reader.number(),
            let sequence: UInt64 = reader.number()
        else { return nil }
        self.init(ballot: Ballot(counter: counter, writer: writer), sequence: sequence)
    }
}

/// What the index has of a key whose tombstone was purged, as long as older records of it may be met in the log.
public struct PurgedMarker: Sendable, Equatable {
    public var tag: Ballot
    /// Raw position of the last record that says so.
    public var position: UInt64
    /// No record of the key up to the tag stands behind this position. When all segments up to it are gone, the marker may
    /// go.
    public var watermark: UInt64

    public init(tag: Ballot, position: UInt64, watermark: UInt64) {
        self.tag = tag
        self.position = position
        self.watermark = watermark
    }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        for number in [tag.counter, tag.writer, position, watermark] { bytes.appendNumber(number) }
        return bytes
    }

    init?(decoding bytes: UnsafeRawBufferPointer) {
        var reader = ByteReader(bytes)
        guard let counter: UInt64 = reader.number(), let writer: UInt64 = reader.number(),
            let position: UInt64 = reader.number(), let watermark: UInt64 = reader.number()
        else { return nil }
        self.init(tag: Ballot(counter: counter, writer: writer), position: position, watermark: watermark)
    }
}

extension MetadataIndex {
    /// What remains of a purged key; nil: it was not purged, or no record of it can be left.
    public func purgedMarker(of name: RegisterName) throws(IndexError) -> PurgedMarker? {
        guard let found = try database.get(IndexKeys.purged(name.indexKey), { PurgedMarker(decoding: $0) }) else {
            return nil
        }
        guard let found else { throw IndexError.corruption("unreadable entry of a purged register") }
        return found
    }

    /// No older record of these keys can be left in the log.
    public func forgetPurged(_ names: [RegisterName]) throws {
        try change { application in
            for name in names { try application.forgetPurged(name) }
        }
    }
}

extension IndexApplication {
    /// `watermark`: no record of the keys up to their tags is known behind it; `position`: of the record that says so.
    mutating func purge(_ purged: [PurgedRegister], watermark: UInt64, _ position: UInt64) throws {
        for item in purged { try purge(item, watermark: watermark, position) }
    }

    private mutating func purge(_ item: PurgedRegister, watermark: UInt64, _ position: UInt64) throws {
        // Every purge stands behind a record of a floor that covers it.
        raiseFloor(to: IndexFloor(ballot: item.tag))
        var new = PurgedMarker(tag: item.tag, position: position, watermark: watermark)
        if let known = try marker(item.name) {
            new.tag = max(new.tag, known.tag)
            new.position = max(new.position, known.position)
            new.watermark = max(new.watermark, known.watermark)
        } else {
            counts.purged += 1
        }
        let old = try register(item.name)
        if let old, old.value.tag <= item.tag {
            new.watermark = max(new.watermark, old.position)
            try drop(item.name, old)
        }
        if old.map({ $0.value.tag <= item.tag }) ?? true {
            try settleBlobs(of: item.name, RegisterValue(tag: item.tag), old: old?.value.blobs ?? [])
        }
        put(item.name, new)
    }

    /// A register that is no longer in force, without one in its place. Content beside it is left.
    mutating func drop(_ name: RegisterName, _ old: IndexedRegister) throws {
        retire(old.place)
        totals.retire(record: old.recordSize)
        if old.value.isTombstone { totals.tombstones &-= 1 }
        try count(name, RegisterValue(tag: .zero), old.value)
        registers[name] = .some(nil)
        batch.delete(IndexKeys.register(name.indexKey))
        applied.registers.append(.init(name: name, old: old.value.tag, new: nil))
    }

    /// Whether a record of a key without an entry, with this tag, is older than its purge. Takes note of where it stands.
    mutating func isPurged(_ name: RegisterName, _ tag: Ballot, at position: UInt64) throws -> Bool {
        guard counts.purged > 0, tag <= floor.ballot, var marker = try marker(name), tag <= marker.tag else {
            return false
        }
        if marker.watermark < position {
            marker.watermark = position
            put(name, marker)
        }
        return true
    }

    mutating func forgetPurged(_ name: RegisterName) throws {
        guard try marker(name) != nil else { return }
        counts.purged -= 1
        purged[name] = .some(nil)
        batch.delete(IndexKeys.purged(name.indexKey))
    }

    mutating func raiseFloor(to other: IndexFloor) {
        guard !floor.covers(other) else { return }
        floor.rise(to: other)
        batch.put(IndexKeys.floor, floor.encoded())
    }

    private func marker(_ name: RegisterName) throws -> PurgedMarker? {
        if let known = purged[name] { return known }
        guard counts.purged > 0 else { return nil }
        return try index.purgedMarker(of: name)
    }

    private mutating func put(_ name: RegisterName, _ marker: PurgedMarker) {
        purged[name] = .some(marker)
        batch.put(IndexKeys.purged(name.indexKey), marker.encoded())
    }
}
