/// What repair work there is. The raw values are names that operators see and that are stored: never change them.
enum TaskKind: String, Codable, Sendable, CaseIterable {
    // Standing tasks: they come again after an interval, and when they are woken.
    case antiEntropy = "anti-entropy"
    case damage = "damage-repair"
    case memory = "memory-recovery"
    case releases = "release-collection"
    case move = "partition-move"
    case garbage = "garbage-collection"
    case lifecycle = "lifecycle"
    case tombstones = "tombstone-purge"
    case bucketRemoval = "bucket-removal"
    case events = "event-handover"

    // Asked for by an operator.
    case recoverFile = "recover-file"
    case recoverDisk = "recover-disk"
    case recoverNode = "recover-node"
    case recoverConsistency = "recover-consistency"
    case purgeTombstones = "purge-tombstones"

    /// Tasks of one lane run one after the other, those of different lanes at the same time.
    enum Lane: Hashable, Sendable {
        case comparison, damage, memory, releases, moves, garbage, lifecycle, tombstones, removals, events, files
    }

    var lane: Lane {
        switch self {
        case .antiEntropy, .recoverDisk, .recoverNode, .recoverConsistency: .comparison
        case .damage: .damage
        case .memory: .memory
        case .releases: .releases
        case .move: .moves
        case .garbage: .garbage
        case .lifecycle: .lifecycle
        case .tombstones, .purgeTombstones: .tombstones
        case .bucketRemoval: .removals
        case .events: .events
        case .recoverFile: .files
        }
    }

    var isStanding: Bool {
        switch self {
        case .antiEntropy, .damage, .memory, .releases, .move, .garbage, .lifecycle, .tombstones, .bucketRemoval,
            .events:
            true
        case .recoverFile, .recoverDisk, .recoverNode, .recoverConsistency, .purgeTombstones: false
        }
    }
}
