import Configuration
import Model

/// Settings of the manager. Those of the cluster count at its creation only.
public enum ManagerSettings {
    public static let enrolment = Setting(
        "manager.enrolment", default: "tcp://127.0.0.1:0",
        help: "Where new processes enrol; any key may connect, a join token admits.")
    public static let replicas = Setting(
        "manager.replicas", default: 3, in: 1...ConsistencyLevel.replicasMax,
        help: "Replicas of each object (N). Fixed at the cluster's creation.")
    public static let write = Setting(
        "manager.write", default: 0, in: 0...ConsistencyLevel.replicasMax,
        help: "Replicas that a write needs (W) at the cluster's creation; 0: a majority.")
    public static let read = Setting(
        "manager.read", default: 0, in: 0...ConsistencyLevel.replicasMax,
        help: "Replicas that a read needs (R) at the cluster's creation; 0: a majority.")
    public static let delete = Setting(
        "manager.delete", default: 0, in: 0...ConsistencyLevel.replicasMax,
        help: "Replicas that a delete needs (D) at the cluster's creation; 0: a majority.")
    public static let partitions = Setting(
        "manager.partitions", default: 1_024,
        help: "Parts of the ring, a power of two. Fixed at the cluster's creation.",
        range: "1 to 65536, a power of two"
    ) { (1...65_536).contains($0) && $0.nonzeroBitCount == 1 ? nil : "\($0) is no power of two from 1 to 65536" }
    public static let dataCenter = Setting(
        "manager.data_center", default: "dc_1", help: "Name of the data centre, at the cluster's creation.")
    public static let failureTimeout = Setting<Duration>(
        "manager.failure_timeout", default: .milliseconds(3_500), in: .seconds(1)...(.seconds(60)),
        help: "A member that is silent for this long, whoever asks it, is marked stop.")
    public static let joinTokenLifetime = Setting<Duration>(
        "manager.join_token_lifetime", default: .seconds(24 * 3600), in: .seconds(3600)...(.seconds(366 * 24 * 3600)),
        help: "How long the reusable token in the file join-token is good for; a start renews an expired one.")
    public static let masterKey = Setting<String?>(
        "manager.master_key", default: nil,
        help: "Key that seals secrets, 64 hex digits; default: the file master-key in node.data.", secret: true)
    public static let bucketsPerUser = Setting(
        "manager.buckets_per_user", default: 1_000, in: 1...1_000_000, help: "Buckets that one user may own.")

    public static let diskFailureRate = Setting(
        "manager.disk_failure_rate", default: 0.03, in: 0.0001...0.9,
        help: "Part of the disks that fail in a year, for martlet-adm durability.")
    public static let copyCorruptionRate = Setting(
        "manager.copy_corruption_rate", default: 0.000_001, in: 0...0.1,
        help: "How many copies of an object out of one rot unnoticed in a year, for martlet-adm durability.")
    public static let repairWait = Setting<Duration>(
        "manager.repair_wait", default: .seconds(12 * 3600), in: .zero...(.seconds(366 * 24 * 3600)),
        help:
            "A storage node that does not answer for so long is taken out of the ring, and others get its replicas; 0: "
            + "never. martlet-adm durability reckons with it too.")
    public static let repairRateAssumed = Setting<ByteSize>(
        "manager.repair_rate_assumed", default: .mebibytes(32), in: .kibibytes(1)...(.gibibytes(1024)),
        help: "Bytes a second that repair copies, for martlet-adm durability as long as nothing was measured.")

    /// nil: never.
    static func deadNodeWait(_ configuration: Configuration) -> Duration? {
        let wait = configuration[repairWait]
        return wait > .zero ? wait : nil
    }

    public static let all: [any AnySetting] =
        [
            enrolment, replicas, write, read, delete, partitions, dataCenter, failureTimeout, joinTokenLifetime,
            masterKey,
            bucketsPerUser, diskFailureRate, copyCorruptionRate, repairWait, repairRateAssumed,
        ] + StoreSettings.all
}
