import MetadataIndex
import Model
import ObjectLog

@testable import Storage

/// Bytes that rot, and the scrub that finds them.
extension DiskDriver {
    /// Flips a byte of a segment that nothing is written to, with something behind it. One in each: of two, one might hit a
    /// record and the other what is told of it a second time.
    mutating func damage() {
        let segments = disk.settledSegments.filter { !model.damagedSegments.contains($0.number) }
        guard !segments.isEmpty, disk.failure == nil else { return }
        let segment = generator.pick(segments)
        let offset = generator.number(0..<segment.capacity)
        model.damagedSegments.insert(segment.number)
        model.tally.damages += 1
        let start = UInt64(segment.number) << 32
        for entry in (try? disk.index.entries(in: start..<start + UInt64(segment.capacity))) ?? [] {
            guard case .blob(let key, let location) = entry else { continue }
            let first = Int(location.position - start)
            if (first..<first + Int(location.recordSize)).contains(offset) { model.damaged.insert(key) }
        }
        flip(segment.number, offset)
    }

    mutating func scrub() {
        let segments = disk.sealedSegments
        guard !segments.isEmpty, disk.failure == nil else { return }
        _ = try? disk.scrub(generator.pick(segments).number) { _ in true }
    }

    /// Compaction that does not wait until its copies are durable.
    mutating func removeHastily() {
        guard let segment = disk.settledSegments.first(where: { generator.chance(0.7) || $0.number == 1 }) else {
            return
        }
        let known = IndexKnowledge(
            index: disk.index, otherSegments: Set(disk.log.segments.map(\.number)).subtracting([segment.number]))
        do {
            let reader = try disk.log.reader(of: segment.number)
            while let item = try reader.next() {
                guard case .record(let record) = item,
                    let head = RecordHead(type: record.type, head: record.head)
                else { continue }
                let compacted = CompactedRecord(position: record.position.rawValue, head: head)
                guard try CompactionVerdict.of(compacted, known) == .move else { continue }
                try disk.appendCopies([record.entry], of: nil, urgency: .lazy) { _ in }
            }
            try disk.index.flush()
            try disk.log.remove(segment: segment.number)
        } catch {}
    }
}
