import MetadataIndex
import Model
import ObjectLog

@testable import Storage

/// Counts, listing and digests, and the index made anew.
extension DiskCheck {
    /// Every count is that of the entries.
    mutating func checkSums() throws {
        var (records, bytes, tombstones) = (UInt64(0), UInt64(0), UInt64(0))
        var buckets: [BucketID: BucketTotals] = [:]
        var segments: [UInt32: (records: UInt64, bytes: UInt64)] = [:]
        func count(_ position: UInt64, _ size: UInt32) {
            let sum = segments[UInt32(position >> 32)] ?? (0, 0)
            segments[UInt32(position >> 32)] = (sum.records + 1, sum.bytes + UInt64(size))
        }
        try disk.index.visitEntries(in: 0..<UInt64.max) { entry in
            let (position, size) = entry.place
            (records, bytes) = (records + 1, bytes + UInt64(size))
            count(position, size)
            guard case .register(let name, let register) = entry else { return true }
            if register.value.isTombstone { tombstones += 1 }
            let value = register.value
            if name.keyspace != .uploads, value.record != nil, !value.isTombstone, !value.isUncounted {
                if name.keyspace != .parts { buckets[name.bucket, default: .init()].objects += 1 }
                buckets[name.bucket, default: .init()].bytes += value.contentSize
            }
            return true
        }
        let totals = disk.index.totals
        if totals.activeRecords != records || totals.activeBytes != bytes || totals.tombstones != tombstones {
            faults.append("\(totals), but \(records) entries of \(bytes) bytes, \(tombstones) tombstones")
        }
        for bucket in DiskModel.buckets {
            let (found, expected) = (try disk.index.bucketTotals(bucket), buckets[bucket] ?? .init())
            if found != expected { faults.append("totals of a bucket: \(found), its entries: \(expected)") }
        }
        for (id, hint) in try disk.index.hints(after: 0, limit: 10_000) {
            count(id, UInt32(LogEntry.hint(hint).recordSize))
        }
        for (segment, found) in disk.index.segmentTotals {
            let expected = segments[segment] ?? (0, 0)
            if found.liveRecords != expected.records || found.liveBytes != expected.bytes {
                faults.append("segment \(segment): \(found), but \(expected) in force")
            }
        }
    }

    /// Nothing remains of slots that are elsewhere: counts, listing and digests are those of the dictionary.
    mutating func checkAgainstModel() throws {
        try disk.index.visitEntries(in: 0..<UInt64.max) { entry in
            switch entry {
            case .register(let name, _) where !model.owns(name): faults.append("a register of another disk's slot")
            case .blob(let key, _) where key.index != nil:
                let chunk = ChunkName(blob: key.blob, index: key.index!)
                if !model.owns(chunk) { faults.append("a chunk of another disk's slot") }
            default: break
            }
            return true
        }
        for bucket in DiskModel.buckets {
            let (found, expected) = (try disk.index.bucketTotals(bucket), model.totals(of: bucket))
            if found.objects != expected.objects || found.bytes != expected.bytes {
                faults.append("totals of a bucket: \(found), not \(expected)")
            }
            let listed = try disk.index.list(IndexQuery(bucket: bucket, limit: 1000)).entries.map(\.key)
            let keys = model.registers.filter {
                $0.key.bucket == bucket && $0.key.keyspace == .objects && $0.value.durable?.record != nil
                    && model.owns($0.key)
            }.keys.map(\.key).sorted { $0.lexicographicallyPrecedes($1) }
            if listed != keys { faults.append("\(listed.count) keys are listed, not \(keys.count)") }
        }
        if disk.index.totals.tombstones != UInt64(model.tombstones) {
            faults.append("\(disk.index.totals), not \(model.tombstones) tombstones")
        }
        if try disk.partitionDigests(DiskModel.scheme) != model.digests(DiskModel.scheme) {
            faults.append("digests are not those of the dictionary")
        }
    }

    /// Digests that were kept up to date are those that a scan makes.
    mutating func checkKeptDigests() throws {
        guard let kept = try disk.partitionDigests(DiskModel.scheme) else {
            return faults.append("digests are being made")
        }
        var made = DiskModel.scheme.empty
        try disk.index.registers().visit { name, tag in
            if model.owns(name) { DiskModel.scheme.add(name, tag, to: &made) }
            return true
        }
        try disk.index.chunks().visit { chunk in
            if model.owns(chunk) { DiskModel.scheme.add(chunk, to: &made) }
            return true
        }
        if kept != made { faults.append("digests that were kept differ from ones made anew") }
    }

    /// Whatever cannot be read is noted, and nothing else.
    mutating func checkScrub() throws {
        for segment in disk.sealedSegments { _ = try disk.scrub(segment.number) { _ in true } }
        disk.settleDamage(disk.damage.records(of: disk.path))
        var listed: Set<BlobKey> = []
        for record in disk.damage.records(of: disk.path) {
            guard case .content(let key) = record.key else { continue }
            listed.insert(key)
            if !model.damaged.contains(key) { faults.append("\(key) is noted as damaged") }
        }
        for key in model.damaged {
            guard let location = try disk.index.blob(key), !listed.contains(key) else { continue }
            let isSealed = disk.sealedSegments.contains { $0.number == location.position >> 32 }
            if isSealed, (try? disk.read(key, at: location)) == nil { faults.append("the scrub has not noted \(key)") }
        }
    }

    /// An index made from the log alone says the same.
    mutating func compare(with rebuilt: DiskReplica) throws {
        try rebuilt.forgetLeft { true }
        let (one, other) = (disk.index, rebuilt.index)
        if one.totals != other.totals { faults.append("totals \(one.totals), rebuilt \(other.totals)") }
        if one.segmentTotals != other.segmentTotals {
            faults.append("segments \(one.segmentTotals), rebuilt \(other.segmentTotals)")
        }
        if one.ceiling != other.ceiling { faults.append("ceiling \(one.ceiling), rebuilt \(other.ceiling)") }
        if one.floor != other.floor { faults.append("floor \(one.floor), rebuilt \(other.floor)") }
        for slot in DiskModel.slots where one.doubt(ofSlot: slot) != other.doubt(ofSlot: slot) {
            faults.append("a rebuilt index has another doubt")
        }
        for name in DiskModel.names where try one.register(name) != other.register(name) {
            faults.append("a rebuilt index has another entry for a register")
        }
        for name in DiskModel.chunkNames {
            // That a copy cannot be read is found again by whoever reads it.
            let (a, b) = (try one.blob(BlobKey(name)), try other.blob(BlobKey(name)))
            if a?.position != b?.position { faults.append("a rebuilt index has another entry for a chunk") }
        }
    }
}

extension PlacedEntry {
    fileprivate var place: (position: UInt64, size: UInt32) {
        switch self {
        case .register(_, let register): (register.position, register.recordSize)
        case .blob(_, let location): (location.position, location.recordSize)
        }
    }
}
