/// One page of the state, for a backup.
public struct StatePageReport: Codable, Sendable, Equatable {
    public var clusterId: String
    /// The same in all pages of one backup.
    public var revision: UInt64
    public var takenAt: String
    public var entries: [StateArchive.Entry]
    /// The next page begins after the last entry of this one.
    public var more: Bool

    public init(clusterId: String, revision: UInt64, takenAt: String, entries: [StateArchive.Entry], more: Bool) {
        self.clusterId = clusterId
        self.revision = revision
        self.takenAt = takenAt
        self.entries = entries
        self.more = more
    }
}
