import MetadataIndex
import Model
import NIOCore
import ObjectLog

/// Records on their way from one disk to another: read, checked, appended unchanged, some at a time.
struct SlotCopy {
    private static let batchBytes = 4 << 20
    private static let batchRecords = 1000
    private static let keysPerPage = 1000

    let source: DiskReplica
    let target: DiskReplica
    let slots: SlotSet
    /// Called with the bytes of every batch that is durable; may wait, or throw to end the copying.
    let pace: (Int) throws -> Void

    private var entries: [LogEntry] = []
    private var bytes = 0
    /// Content that the source could not read: the other replicas of the cluster have it.
    private(set) var unreadable: Set<DamagedRecord> = []

    init(source: DiskReplica, target: DiskReplica, slots: SlotSet, pace: @escaping (Int) throws -> Void) {
        self.source = source
        self.target = target
        self.slots = slots
        self.pace = pace
    }

    /// Everything that the source has of the slots. What changes meanwhile may be missing or old.
    mutating func copyAll() throws {
        try copyRegisters()
        try copyChunks()
        try send()
    }

    mutating func copy(_ changes: SlotChanges) throws {
        for name in changes.registers { try copy(name) }
        for chunk in changes.chunks { try copy(chunk) }
        try send()
    }

    private mutating func copyRegisters() throws {
        var cursor: [UInt8]?
        repeat {
            var page: [RegisterName] = []
            var last: [UInt8]?
            try source.index.registers(after: cursor).visit { name, _ in
                let key = name.indexKey
                if slots.contains(SlotSet.slot(ofKey: key)) { page.append(name) }
                last = page.count < Self.keysPerPage ? nil : key
                return last == nil
            }
            for name in page { try copy(name) }
            cursor = last
        } while cursor != nil
    }

    private mutating func copyChunks() throws {
        var cursor: BlobKey?
        repeat {
            var page: [ChunkName] = []
            var last: BlobKey?
            try source.index.chunks(after: cursor).visit { chunk in
                if slots.contains(SlotSet.slot(ofKey: chunk.ringKey)) { page.append(chunk) }
                last = page.count < Self.keysPerPage ? nil : BlobKey(chunk)
                return last == nil
            }
            for chunk in page { try copy(chunk) }
            cursor = last
        } while cursor != nil
    }

    // MARK: - One key

    private mutating func copy(_ name: RegisterName) throws {
        guard let register = try source.index.register(name) else { return try copyPurge(of: name) }
        for blob in register.value.blobs { try copy(BlobKey(blob), of: name) }
        if let there = try target.index.register(name), there.value.tag == register.value.tag { return }
        try add(.register(name, register.value))
    }

    /// The tombstone was purged since it, or what it replaced, was copied.
    private mutating func copyPurge(of name: RegisterName) throws {
        try send()
        guard let there = try target.index.register(name) else { return }
        try target.raiseFloor(to: source.floor)
        try add(.purge([PurgedRegister(name: name, tag: there.value.tag)]))
    }

    private mutating func copy(_ chunk: ChunkName) throws {
        let key = BlobKey(chunk)
        if try source.index.blob(key) != nil { return try copy(key) }
        // It was dropped since it was copied.
        if try target.index.blob(key) != nil || !entries.isEmpty { try add(.dropChunks(chunk.blob, [chunk.index])) }
    }

    /// A blob beside a register, or a chunk.
    private mutating func copy(_ key: BlobKey, of owner: RegisterName? = nil) throws {
        if let there = try target.index.blob(key), !there.isDamaged { return }
        while let location = try source.index.blob(key) {
            let found: LogEntry
            do throws(ObjectLogError) { found = try entry(at: location) } catch {
                guard error.meansDamage else { throw error }
                // Compaction may have taken it elsewhere meanwhile.
                guard try source.index.blob(key)?.position == location.position else { continue }
                if unreadable.count < DamageList.limit { unreadable.insert(.missing(key, owner: owner)) }
                return source.logger.error(
                    "content cannot be read and is not moved",
                    metadata: ["disk": "\(source.path)", "error": "\(error)"])
            }
            return try add(found)
        }
    }

    private func entry(at location: BlobLocation) throws(ObjectLogError) -> LogEntry {
        let record = try source.log.readPatiently(
            at: LogPosition(rawValue: location.position), size: Int(location.recordSize))
        return LogEntry(
            type: record.type, head: record.head, payload: record.payload, payloadChecksum: record.payloadChecksum)
    }

    // MARK: - Batches

    private mutating func add(_ entry: LogEntry) throws {
        entries.append(entry)
        bytes += entry.recordSize
        if bytes >= Self.batchBytes || entries.count >= Self.batchRecords { try send() }
    }

    private mutating func send() throws {
        guard !entries.isEmpty else { return }
        try target.appendDurably(entries)
        let sent = bytes
        entries = []
        bytes = 0
        try pace(sent)
    }
}
