/// What `repair-status` answers: the comparison, and beside it what goes on all the time.
struct RepairReport: Encodable, Sendable {
    var comparison: RepairProgress
    var damage: DamageRepair.Status
    var releases: ReleaseCollection.Status
    var garbage: GarbageCollection.Status
    var memory: MemoryRecoveryStatus
    var lifecycle: LifecycleExpiry.Status
    var tombstones: TombstonePurge.Status
    var removals: BucketRemoval.Status
    var events: RemovalNotices.Status

    private enum CodingKeys: String, CodingKey {
        case damage, releases, garbage, memory, lifecycle, tombstones, removals, events
    }

    func encode(to encoder: any Encoder) throws {
        try comparison.encode(to: encoder)
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(damage, forKey: .damage)
        try fields.encode(releases, forKey: .releases)
        try fields.encode(garbage, forKey: .garbage)
        try fields.encode(memory, forKey: .memory)
        try fields.encode(lifecycle, forKey: .lifecycle)
        try fields.encode(tombstones, forKey: .tombstones)
        try fields.encode(removals, forKey: .removals)
        try fields.encode(events, forKey: .events)
    }
}
