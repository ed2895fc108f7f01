import ObjectAccess
import S3Protocol
import Synchronization

/// Lets a change of a register pass until a point in time: what the change refers to may be dropped some time after it.
///
/// A change may be called once for every attempt. When a former attempt was let pass, its commit may have left, so a
/// refusal because of the time cannot say that nothing has happened.
final class ProposalDeadline: Sendable {
    private let deadline: ContinuousClock.Instant
    private let late: S3Error
    private let now: @Sendable () -> ContinuousClock.Instant
    private let hasProposed = Atomic<Bool>(false)

    /// - Parameter late: what the client is told when nothing has happened.
    init(
        _ deadline: ContinuousClock.Instant, late: S3Error, now: @escaping @Sendable () -> ContinuousClock.Instant
    ) {
        self.deadline = deadline
        self.late = late
        self.now = now
    }

    /// The last thing that a change asks before it writes: nothing may come between it and the commit but a newer round.
    func pass(_ record: StoredRecord) -> Change {
        if now() < deadline {
            hasProposed.store(true, ordering: .relaxed)
            return .write(record)
        }
        return .refuse(hasProposed.load(ordering: .relaxed) ? AccessError.outcomeUnknown : late)
    }
}
