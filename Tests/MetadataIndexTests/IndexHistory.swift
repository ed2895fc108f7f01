import Foundation
import Model

@testable import MetadataIndex

/// A random history of one disk: requests, group commits, compaction with requests in between, flushes. Beside it what
/// must come out.
struct IndexHistory {
    var random: SeededGenerator
    var log = LogModel()
    let fixture: IndexFixture
    /// The index as the last flush left it: from then on there is none.
    private(set) var flushed: MetadataIndex?
    private var unapplied: [LogModel.Record] = []
    private var counter: UInt64 = 0

    // What must be in force.
    private(set) var registers: [RegisterName: RegisterValue] = [:]
    /// The highest tag for which a blob was brought, and its register.
    private(set) var blobs: [BlobID: BlobOwner] = [:]
    private(set) var chunks: Set<ChunkName> = []
    private(set) var dropped: Set<ChunkName> = []
    private(set) var ceiling: UInt64 = 0
    private(set) var hints: Set<[UInt8]> = []
    /// Hints that were forgotten: one whose copy was under way then is delivered again, which does no harm.
    private(set) var forgottenHints: Set<[UInt8]> = []
    /// The tags of purged tombstones.
    private(set) var purged: [RegisterName: Ballot] = [:]
    private(set) var floor = IndexFloor()

    var index: MetadataIndex { fixture.index }

    init(seed: UInt64) throws {
        random = SeededGenerator(state: seed)
        fixture = try IndexFixture()
    }

    /// The blobs that must be in force.
    var liveBlobs: Set<BlobID> {
        Set(
            blobs.filter { blob, owner in
                if let tag = purged[owner.name], owner.tag <= tag { return false }
                guard let state = registers[owner.name] else { return true }
                return state.blobs.contains(blob) || state.tag < owner.tag
            }.keys)
    }

    mutating func run(steps: Int) throws {
        for _ in 0..<steps {
            switch Int.random(in: 0..<100, using: &random) {
            case ..<85: request()
            case ..<95: try commit()
            default: try compact()
            }
        }
        try commit()
    }

    // MARK: - Requests

    private mutating func append(_ content: LogModel.Content) { unapplied.append(log.append(content)) }

    private mutating func request() {
        switch Int.random(in: 0..<100, using: &random) {
        case ..<30: put(withBlob: true)
        case ..<45: put(withBlob: false)
        case ..<55: confirm()
        case ..<60: bringDangling()
        case ..<65: heal()
        case ..<80: putChunk()
        case ..<88: dropChunks()
        case ..<93: noteHint()
        case ..<95: forgetHint()
        case ..<99: purge()
        default:
            ceiling += 10
            append(.ceiling(ceiling))
        }
    }

    private mutating func anyName() -> RegisterName { name("key \(Int.random(in: 0..<25, using: &random))") }

    private mutating func nextTag() -> Ballot {
        counter += UInt64.random(in: 1...3, using: &random)
        return Ballot(counter: counter, writer: 1)
    }

    private mutating func put(withBlob: Bool) {
        let (name, tag) = (anyName(), nextTag())
        var value = IndexedRegister.sample(tag.counter, deleted: !withBlob && Bool.random(using: &random)).value
        if withBlob {
            let blob = BlobID(high: 1, low: counter)
            value.blobs = [blob]
            blobs[blob] = BlobOwner(name: name, tag: tag)
            append(.blob(blob, blobs[blob]!))
        }
        registers[name] = value
        append(.register(name, value))
    }

    /// The same state under a new tag.
    private mutating func confirm() {
        guard let (name, old) = registers.sorted(by: { $0.key < $1.key }).randomElement(using: &random) else { return }
        var value = old
        value.tag = nextTag()
        registers[name] = value
        append(.register(name, value))
    }

    /// A crash between a blob and its register.
    private mutating func bringDangling() {
        let blob = BlobID(high: 2, low: UInt64.random(in: 0..<20, using: &random))
        let owner = BlobOwner(name: blobs[blob]?.name ?? anyName(), tag: nextTag())
        blobs[blob] = owner
        append(.blob(blob, owner))
        guard Bool.random(using: &random) else { return }
        // The writer comes again with a higher ballot, and finds the blob here.
        var value = IndexedRegister.sample(nextTag().counter).value
        value.blobs = [blob]
        registers[owner.name] = value
        append(.register(owner.name, value))
    }

    /// Content that was damaged is brought back for the present state.
    private mutating func heal() {
        let candidates = registers.filter { !$0.value.blobs.isEmpty }.sorted { $0.key < $1.key }
        guard let (name, value) = candidates.randomElement(using: &random), let blob = value.blobs.first else { return }
        let tag = max(value.tag, blobs[blob]?.tag ?? value.tag)
        blobs[blob] = BlobOwner(name: name, tag: tag)
        append(.blob(blob, BlobOwner(name: name, tag: value.tag)))
    }

    private mutating func anyChunk() -> ChunkName {
        ChunkName(
            blob: BlobID(high: 3, low: UInt64.random(in: 0..<15, using: &random)),
            index: UInt32.random(in: 0..<4, using: &random))
    }

    private mutating func putChunk() {
        let chunk = anyChunk()
        guard !dropped.contains(chunk) else { return }
        chunks.insert(chunk)
        append(.chunk(chunk))
    }

    private mutating func dropChunks() {
        guard Int.random(in: 0..<3, using: &random) == 0 else { return }
        let blob = anyChunk().blob
        let indexes = (UInt32(0)..<4).filter { _ in Bool.random(using: &random) }
        for index in indexes {
            chunks.remove(ChunkName(blob: blob, index: index))
            dropped.insert(ChunkName(blob: blob, index: index))
        }
        append(.dropChunks(blob, indexes, watermark: 0))
    }

    /// Tombstones that are in the index, and nothing newer under way.
    private mutating func purge() {
        let tombstones = registers.filter { name, value in
            value.isTombstone && (try? index.register(name))??.value == value
        }.sorted { $0.key < $1.key }.filter { _ in Bool.random(using: &random) }
        guard !tombstones.isEmpty else { return }
        for (name, value) in tombstones {
            registers[name] = nil
            purged[name] = value.tag
            floor = IndexFloor(
                ballot: max(floor.ballot, value.tag), sequence: max(floor.sequence, value.sequence))
        }
        append(.floor(floor))
        append(.purge(tombstones.map { PurgedRegister(name: $0.key, tag: $0.value.tag) }, watermark: 0))
    }

    private mutating func noteHint() {
        counter += 1
        let hint = withUnsafeBytes(of: counter.bigEndian) { Array($0) }
        hints.insert(hint)
        append(.hint(hint))
    }

    private mutating func forgetHint() {
        guard let known = try? index.hints(after: 0, limit: 100).randomElement(using: &random) else { return }
        hints.remove(known.hint)
        forgottenHints.insert(known.hint)
        append(.forgetHints([known.id]))
    }

    // MARK: - Upkeep

    /// Brings the index up to date.
    mutating func commit() throws {
        while !unapplied.isEmpty {
            let batch = unapplied.prefix(Int.random(in: 1...20, using: &random))
            unapplied.removeFirst(batch.count)
            try index.apply(batch.map(\.change), checkpoint: batch.last!.end)
        }
    }

    mutating func takeCheckpoint() throws {
        try index.flush()
        flushed = try fixture.copyAsAfterCrash()
    }

    /// Appends what is in force in a segment anew, then removes it.
    private mutating func compact() throws {
        try commit()
        guard let segment = log.segments.filter({ $0 < log.active }).sorted().randomElement(using: &random) else {
            return
        }
        var copies: [LogModel.Content] = []
        var forgotten: [BlobKey] = []
        var forgottenPurges: [RegisterName] = []
        for record in log.records where record.segment == segment {
            if case .purge(let purged, let watermark) = record.content {
                copies += try copy(ofPurge: purged, watermark, record, forgetting: &forgottenPurges)
            } else {
                copies += try copy(of: record, forgetting: &forgotten)
            }
        }
        // What happens while the copies are under way.
        for _ in 0..<Int.random(in: 0...6, using: &random) { request() }
        for content in copies where !isPurged(content) { append(content) }
        try commit()
        // A segment goes only when it lies before the flushed checkpoint.
        if flushed == nil { try index.flush() }
        guard let end = log.records.last(where: { $0.segment == segment })?.end,
            end <= flushed?.checkpoint ?? index.flushedCheckpoint
        else { return }
        guard index.segmentTotals(of: segment)?.liveRecords == 0 else { throw LiveSegment(number: segment) }
        log.remove(segment: segment)
        try index.removeSegmentTotals(segment)
        try index.forgetDropped(forgotten)
        try index.forgetPurged(forgottenPurges)
    }

    /// No copy stands behind the purge of its key.
    private func isPurged(_ content: LogModel.Content) -> Bool {
        switch content {
        case .register(let name, let value): purged[name].map { value.tag <= $0 } ?? false
        case .blob(_, let owner): purged[owner.name].map { owner.tag <= $0 } ?? false
        default: false
        }
    }

    private func isMarked(_ name: RegisterName, _ tag: Ballot) throws -> Bool {
        try index.purgedMarker(of: name).map { tag <= $0.tag } ?? false
    }

    private func copy(
        ofPurge purged: [PurgedRegister], _ watermark: UInt64, _ record: LogModel.Record,
        forgetting: inout [RegisterName]
    ) throws -> [LogModel.Content] {
        let markers = try purged.compactMap { try index.purgedMarker(of: $0.name)?.watermark }
        let last = max(watermark == 0 ? record.position : watermark, markers.max() ?? 0)
        if hasSegment(upTo: last, except: record.segment) { return [.purge(purged, watermark: last)] }
        forgetting += try purged.map(\.name).filter { try index.purgedMarker(of: $0)?.position == record.position }
        return []
    }

    struct LiveSegment: Error { let number: UInt32 }

    /// What compaction writes for a record.
    private func copy(of record: LogModel.Record, forgetting: inout [BlobKey]) throws -> [LogModel.Content] {
        switch record.content {
        case .register(let name, let value):
            let found = try index.register(name)
            if found == nil, try isMarked(name, value.tag) { return [] }
            return found == nil || found?.position == record.position ? [record.content] : []
        case .blob(let blob, let owner):
            if let found = try index.blob(BlobKey(blob)) {
                return found.position == record.position ? [record.content] : []
            }
            guard let state = try index.register(owner.name)?.value else {
                return try isMarked(owner.name, owner.tag) ? [] : [record.content]
            }
            return state.tag < owner.tag ? [record.content] : []
        case .chunk(let chunk):
            if try index.isDropped(BlobKey(chunk)) { return [] }
            let found = try index.blob(BlobKey(chunk))
            return found == nil || found?.position == record.position ? [record.content] : []
        case .dropChunks(let blob, let indexes, _):
            return try copy(ofDrop: blob, indexes, record, forgetting: &forgetting)
        case .hint(let hint):
            guard try index.hints(after: record.position - 1, limit: 1).first?.id == record.position else { return [] }
            return [.hint(hint), .forgetHints([record.position])]
        case .forgetHints(let ids):
            return hasSegment(upTo: ids.max() ?? 0, except: record.segment) ? [record.content] : []
        case .ceiling(let counter): return counter == index.ceiling ? [record.content] : []
        case .floor(let floor): return floor == index.floor ? [record.content] : []
        case .purge: return []
        }
    }

    private func copy(
        ofDrop blob: BlobID, _ indexes: [UInt32], _ record: LogModel.Record, forgetting: inout [BlobKey]
    ) throws -> [LogModel.Content] {
        let keys = indexes.map { BlobKey(ChunkName(blob: blob, index: $0)) }
        let markers = try keys.compactMap { try index.droppedMarker(of: $0) }
            .filter { $0.position == record.position }
        guard let watermark = markers.map(\.watermark).max() else { return [] }
        if hasSegment(upTo: watermark, except: record.segment) {
            return [.dropChunks(blob, indexes, watermark: watermark)]
        }
        forgetting += try keys.filter { try index.droppedMarker(of: $0)?.position == record.position }
        return []
    }

    private func hasSegment(upTo position: UInt64, except segment: UInt32) -> Bool {
        log.segments.contains { $0 <= UInt32(position >> 32) && $0 != segment }
    }
}
