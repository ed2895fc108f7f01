import Model

/// Which blobs may be dropped because nothing refers to them: old ones, that were found without a reference by two walks, so
/// long apart that whoever began to read them before is done. A pure value: time is given.
struct GarbageWatch: Sendable {
    /// Blobs remembered; those that find no room wait for a later walk.
    static let suspectsMax = 100_000

    /// Chunks that are younger may still get their register. Against the wall clocks of the nodes that wrote them.
    let age: Duration
    /// From the first sight without a reference. Against the clock of this process.
    let grace: Duration
    private struct Sighting: Sendable {
        var walk: Int
        /// Since any fixed moment.
        var time: Duration
    }

    /// When a blob was first found without a reference.
    private var suspects: [BlobID: Sighting] = [:]
    private var met: Set<BlobID> = []
    private var walk = 0

    init(age: Duration, grace: Duration) {
        self.age = age
        self.grace = grace
    }

    var suspectCount: Int { suspects.count }

    /// A walk over all nodes begins.
    mutating func begin() {
        walk += 1
        met = []
    }

    /// It has met everything: suspects that are gone need not be remembered.
    mutating func end() { suspects = suspects.filter { met.contains($0.key) } }

    /// Both by wall clocks, in milliseconds. A time that is not known is never long ago, nor is one that is still to come.
    func isOld(writtenMilliseconds written: Int64, nowMilliseconds now: Int64) -> Bool {
        guard written > 0, now > written else { return false }
        return .milliseconds(now.subtractingReportingOverflow(written).partialValue) >= age
    }

    mutating func isReferenced(_ blob: BlobID) { suspects[blob] = nil }

    /// It is old and was found without a reference. Returns whether a former walk found the same, long enough ago.
    mutating func isUnreferenced(_ blob: BlobID, now: Duration) -> Bool {
        guard let first = suspects[blob] else {
            guard suspects.count < Self.suspectsMax else { return false }
            suspects[blob] = Sighting(walk: walk, time: now)
            met.insert(blob)
            return false
        }
        met.insert(blob)
        return first.walk < walk && now - first.time >= grace
    }
}
