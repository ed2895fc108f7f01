/// What compaction knows of a sealed segment before it reads it.
struct CompactionCandidate: Equatable, Sendable {
    var segment: UInt32
    /// Bytes of records that must stay.
    var keptBytes: UInt64
    var garbageBytes: UInt64

    /// Share of garbage among the records, 0 to 1. A segment without records is all garbage.
    var garbageRatio: Double {
        let total = keptBytes + garbageBytes
        return total == 0 ? 1 : Double(garbageBytes) / Double(total)
    }
}

/// Which segments are worth compacting, the one with the most garbage first. Pure.
struct CompactionChoice: Equatable, Sendable {
    enum Reason: Sendable {
        /// Found by itself.
        case automatic
        /// An operator wants it: whatever pays at all.
        case command
        /// Content has no room: any garbage.
        case room
    }

    /// A command leaves segments with less garbage alone: to rewrite them would free next to nothing.
    static let commandRatio = 0.05

    /// Of ``Reason/automatic``.
    var ratio: Double

    func targets(_ candidates: [CompactionCandidate], for reason: Reason) -> [CompactionCandidate] {
        candidates.filter { isWorth($0, reason) }.sorted {
            ($1.garbageRatio, $0.segment) < ($0.garbageRatio, $1.segment)
        }
    }

    private func isWorth(_ candidate: CompactionCandidate, _ reason: Reason) -> Bool {
        if candidate.keptBytes == 0 { return true }
        return switch reason {
        case .automatic: candidate.garbageRatio >= ratio
        case .command: candidate.garbageRatio >= min(ratio, Self.commandRatio)
        case .room: candidate.garbageBytes > 0
        }
    }
}
