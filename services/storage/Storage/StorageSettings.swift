import Configuration

/// Configuration keys of a storage node.
public enum StorageSettings {
    public static let disks = Setting<[String]>(
        "storage.disks", default: [],
        help:
            "Directories that hold the data, one a disk; default: disk-1 in node.data. New ones are added at the start; one "
            + "that is left out stays in service until it is drained.")
    public static let segmentSize = Setting<ByteSize>(
        "storage.segment_size", default: .mebibytes(64), in: .mebibytes(4)...(.gibibytes(1)),
        help: "Size of new segments of the object log; existing ones keep theirs.")
    public static let indexMemory = Setting<ByteSize>(
        "storage.index_memory", default: .mebibytes(256), in: .mebibytes(16)...(.gibibytes(1024)),
        help: "Memory for the indexes of all disks together: cache and write buffers.")
    public static let stagedMemory = Setting<ByteSize>(
        "storage.staged_memory", default: .mebibytes(128), in: .mebibytes(4)...(.gibibytes(1024)),
        help: "Memory for content that has arrived but is not committed yet; what exceeds it is sent again.")
    public static let moveRate = Setting<ByteSize>(
        "storage.move_rate", default: .mebibytes(64), in: .mebibytes(1)...(.gibibytes(1024)),
        help: "Bytes a second that go from one disk of the node to another while a disk is added or drained.")
    public static let workers = Setting(
        "storage.workers", default: 4, in: 1...256, help: "Threads that serve requests which may wait for a disk.")
    public static let queue = Setting(
        "storage.queue", default: 4096, in: 16...1_000_000,
        help: "Requests that may wait for a worker; beyond it they are refused as overload.")

    public static let reserve = Setting<ByteSize>(
        "storage.reserve", default: .mebibytes(256), in: .mebibytes(0)...(.gibibytes(1024)),
        help: "Bytes of each file system that no segment is made in: the index and other files need them.")
    public static let compactionAutomatic = Setting(
        "storage.compaction_automatic", default: true,
        help: "Whether segments are compacted without being told to; a full disk then compacts itself too.")
    public static let compactionRatio = Setting(
        "storage.compaction_ratio", default: 40, in: 1...100,
        help: "Percent of garbage in a segment from which it is compacted without being told to.")
    public static let compactionRate = Setting<ByteSize>(
        "storage.compaction_rate", default: .mebibytes(32), in: .mebibytes(1)...(.gibibytes(64)),
        help: "Bytes a second that compaction reads and writes on one disk.")

    public static let scrubRate = Setting<ByteSize>(
        "storage.scrub_rate", default: .mebibytes(16), in: .kibibytes(64)...(.gibibytes(16)),
        help: "Bytes per second that the scrub reads of each disk, at most.")
    public static let scrubInterval = Setting<Duration>(
        "storage.scrub_interval", default: .seconds(7 * 86_400),
        help: "Time from the beginning of one scrub of a disk to that of the next; 0: only on command.")

    public static let departedPatience = Setting<Duration>(
        "storage.departed_patience", default: .seconds(600),
        help: "How long a node keeps what it has of partitions that a change of the ring took away from it.")

    public static let all: [any AnySetting] = [
        disks, segmentSize, indexMemory, stagedMemory, moveRate, workers, queue, reserve, compactionAutomatic,
        compactionRatio, compactionRate, scrubRate, scrubInterval, departedPatience,
    ]
}
