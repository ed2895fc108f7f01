import Wire

/// Why an operation on registers or chunks failed.
public enum AccessError: Error, Sendable {
    /// Too few replicas answered. Nothing is known to have changed; a write may have reached a minority.
    case noQuorum(String)
    /// A bounded queue is full, here or at the replicas: try later.
    case overloaded
    /// The write may or may not have taken effect, now or later.
    case outcomeUnknown
    /// The time for the operation is over before it began to write.
    case deadlineExceeded
    /// The process knows no ring yet, or the replicas are starting.
    case notReady(String)
    /// Content exists but no replica can give the right bytes.
    case damaged(String)
    /// Too many replicas have no space left.
    case diskFull
    /// The caller's own refusal, found on a decided record.
    case refused(any Error)
    /// A chunk, or a blob beside a register, that no replica has: replaced meanwhile, or never written.
    case absent
}

/// Counts why replicas failed, to tell the caller what stands in the way of a quorum.
struct FailureTally: Sendable {
    private var counts: [(status: Status, count: Int)] = []

    mutating func add(_ status: Status) {
        if let index = counts.firstIndex(where: { $0.status == status }) {
            counts[index].count += 1
        } else {
            counts.append((status, 1))
        }
    }

    var isEmpty: Bool { counts.isEmpty }

    func has(_ status: Status) -> Bool { count(status) > 0 }

    func count(_ status: Status) -> Int { counts.first { $0.status == status }?.count ?? 0 }

    /// The full disks alone stand in the way, most likely: waiting helps nobody.
    var isForFullDisks: Bool { 2 * count(.diskFull) > counts.reduce(0) { $0 + $1.count } }

    /// The error for a quorum that cannot be reached. What the operator must act on goes before what passes.
    var error: AccessError {
        if isForFullDisks { return .diskFull }
        if has(.overloaded) { return .overloaded }
        if has(.abstained) { return .damaged(description) }
        if has(.unavailable), counts.count == 1 { return .notReady(description) }
        return .noQuorum(description)
    }

    private var description: String {
        counts.map { "\($0.count) × \($0.status)" }.joined(separator: ", ")
    }
}
