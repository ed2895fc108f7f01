import Glibc

/// Mistakes that a debug build makes on purpose when `MARTLET_PLANTED_BUG` names one, so that the fault suite can show
/// that it finds each of them. A release build has none of this: `isPlanted` is always false there.
public enum PlantedBug: String, CaseIterable, Sendable {
    /// A replica answers a commit when it is appended, before the sync.
    case acknowledgeBeforeSync = "acknowledge-before-sync"
    /// A write is a success as soon as one replica has it.
    case acknowledgeOneReplica = "acknowledge-one-replica"
    /// A read believes the first replica that answers.
    case readOneReplica = "read-one-replica"
    /// A replica accepts a state below a ballot that it has promised.
    case ignorePromises = "ignore-promises"
    /// Nobody is told which replicas missed a write.
    case dropHints = "drop-hints"
    /// A replica takes a deleted key for one that has never been written.
    case skipTombstones = "skip-tombstones"
    /// Content is served and copied whatever its checksum says.
    case serveDamage = "serve-damage"
    /// Tombstones are purged as soon as one replica holds them, whatever the others have.
    case purgeWithoutProof = "purge-without-proof"
    /// While a partition moves, only its new replicas are asked.
    case newReplicasOnly = "new-replicas-only"

    #if DEBUG
        private static let planted = getenv("MARTLET_PLANTED_BUG").map { String(cString: $0) }

        @inline(never)
        public var isPlanted: Bool { Self.planted == rawValue }
    #else
        @inlinable
        public var isPlanted: Bool { false }
    #endif
}
