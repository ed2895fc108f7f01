import Configuration

public enum ReplicatorSettings {
    public static let pollInterval = Setting<Duration>(
        "replicator.poll_interval", default: .seconds(1),
        help: "How often storage nodes are asked for hints when none announces any.")
    public static let batch = Setting(
        "replicator.batch", default: 128, in: 1...1000, help: "Hints that are fetched and delivered together.")
    public static let concurrency = Setting(
        "replicator.concurrency", default: 8, in: 1...256, help: "Deliveries at a time from each storage node.")
    public static let all: [any AnySetting] = [pollInterval, batch, concurrency]
}
