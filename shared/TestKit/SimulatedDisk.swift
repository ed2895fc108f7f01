/// An append-only log on a disk with a cache: what is not synced may be lost in a crash, from some point on.
public struct SimulatedDisk<Entry> {
    public private(set) var synced: [Entry] = []
    public private(set) var unsynced: [Entry] = []

    public init() {}

    public mutating func append(_ entry: Entry) { unsynced.append(entry) }

    /// Makes everything durable that was appended so far, and returns what was not durable before.
    public mutating func sync() -> [Entry] {
        defer { unsynced = [] }
        synced += unsynced
        return unsynced
    }

    /// Power is lost: of the entries that are not synced only the first few have reached the disk.
    public mutating func crash(keepingUnsynced count: Int) {
        synced += unsynced.prefix(count)
        unsynced = []
    }

    /// The disk loses entries that were durable, by their number.
    public mutating func lose(_ isLost: (Int) -> Bool) {
        synced = synced.enumerated().filter { !isLost($0.offset) }.map(\.element)
    }

    public mutating func wipe() { (synced, unsynced) = ([], []) }
}
