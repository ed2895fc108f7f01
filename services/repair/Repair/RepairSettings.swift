import Configuration

public enum RepairSettings {
    public static let interval = Setting<Duration>(
        "repair.interval", default: .seconds(600), help: "Time between two comparisons of all replicas.")
    public static let rate = Setting(
        "repair.rate_objects_per_second", default: 500, in: 1...1_000_000,
        help: "Differing objects and chunks that are repaired per second, at most.")
    public static let byteRate = Setting<ByteSize>(
        "repair.rate_bytes_per_second", default: .mebibytes(0),
        help: "Content that each repair task copies per second, at most; 0: no limit.")
    public static let concurrency = Setting(
        "repair.concurrency", default: 4, in: 1...64, help: "Objects and chunks that are repaired at a time.")
    public static let damageInterval = Setting<Duration>(
        "repair.damage_interval", default: .seconds(60),
        help: "Time between two looks at what storage nodes cannot read; they also tell when they find damage.")
    public static let releaseInterval = Setting<Duration>(
        "repair.release_interval", default: .seconds(60),
        help: "Time between two looks at content that objects no longer have.")
    public static let releaseGrace = Setting<Duration>(
        "repair.release_grace", default: .seconds(900),
        help: "How long content stays after its object was deleted or replaced; reads and uploads last no longer.")
    public static let garbageInterval = Setting<Duration>(
        "repair.garbage_interval", default: .seconds(86_400),
        help: "Time between two walks over all chunks that look for content without an object.")
    public static let garbageAge = Setting<Duration>(
        "repair.garbage_age", default: .seconds(172_800),
        help:
            "Content that nothing refers to is dropped when it is so old. An upload may take 24 hours, and clocks of nodes "
            + "may differ: less puts uploads that last longer at risk.")
    public static let memoryInterval = Setting<Duration>(
        "repair.memory_interval", default: .seconds(30),
        help: "Time between two looks at disks that have lost records and do not vote.")
    public static let lifecycleInterval = Setting<Duration>(
        "repair.lifecycle_interval", default: .seconds(3600),
        help: "Time between two walks over the buckets that have a lifecycle or objects that expire.")
    public static let lifecycleDay = Setting<Duration>(
        "repair.lifecycle_day", default: .seconds(86_400),
        help: "How long a day of a lifecycle takes. Less is for tests only; gateway.lifecycle_day must be the same.")
    public static let tombstoneInterval = Setting<Duration>(
        "repair.tombstone_interval", default: .seconds(3600),
        help: "Time between two looks for tombstones of deleted objects that can be dropped.")
    public static let tombstoneGrace = Setting<Duration>(
        "repair.tombstone_grace", default: .seconds(86_400),
        help: "How long the tombstone of a deleted object stays, at least.")
    public static let all: [any AnySetting] = [
        interval, rate, byteRate, concurrency, damageInterval, releaseInterval, releaseGrace, garbageInterval,
        garbageAge, memoryInterval, tombstoneInterval, tombstoneGrace,
        lifecycleInterval, lifecycleDay,
    ]
}
