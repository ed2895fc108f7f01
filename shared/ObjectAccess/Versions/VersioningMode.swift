import ClusterState
import Wire

/// What a bucket does with the predecessor of an object. Once not `unversioned` it never is again.
public enum VersioningMode: String, Sendable {
    /// There is one version, the null version, and it is replaced.
    case unversioned = ""
    /// It stays as a noncurrent version.
    case enabled = "Enabled"
    /// It stays, unless it is the null version: that one is replaced.
    case suspended = "Suspended"
}

extension BucketRecord {
    /// The bucket's document of this name is the status alone.
    public static let versioningName = "versioning"

    /// A bucket in which something was to expire by itself has a document of this name: repair looks through it.
    public static let expiringName = "expiring"

    public var versioning: VersioningMode {
        guard let status = document(Self.versioningName) else { return .unversioned }
        return VersioningMode(rawValue: String(decoding: status, as: UTF8.self)) ?? .enabled
    }
}
