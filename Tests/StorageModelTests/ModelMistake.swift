import ObjectLog

/// What the disk below, or whoever works with it, may do wrong. Each must be found.
enum ModelMistake: Hashable, Sendable, CaseIterable {
    case lie(SimulatedDirectory.Lie)
    /// Compaction removes a segment before its copies are durable.
    case hastyRemoval
    /// What a disk still has of a slot that went to another one is not dropped before the slot comes back.
    case keptRemnants
    /// Doubt is noted in the index, and not in the log.
    case unloggedDoubt
    /// A purge is noted in the index, and not in the log.
    case unloggedPurge

    static var allCases: [ModelMistake] {
        SimulatedDirectory.Lie.allCases.map { .lie($0) }
            + [.hastyRemoval, .keptRemnants, .unloggedDoubt, .unloggedPurge]
    }

    var lie: SimulatedDirectory.Lie? { if case .lie(let lie) = self { lie } else { nil } }
}
