import Synchronization

/// One disk of a node through its life: it is opened, serves, may fail and be opened again while the node serves with the
/// others, and may be retired.
final class DiskSlot: Sendable {
    /// What operators see.
    enum State: String, CaseIterable, Sendable {
        case opening, running, full, draining, rebuilding, failed, retired
        case readOnly = "read-only"
    }

    enum Phase: Sendable {
        case opening
        case running(DiskReplica)
        /// Its index was damaged and is being made anew from its log.
        case rebuilding
        case failed(StorageError)
        case retired
    }

    /// For ever, also in ids of hints.
    let number: Int
    let path: String
    private let phase: Mutex<Phase>

    init(number: Int, path: String, phase: Phase = .opening) {
        self.number = number
        self.path = path
        self.phase = Mutex(phase)
    }

    /// As metrics and readiness call it: bounded, unlike the path.
    var label: String { "disk-\(number + 1)" }

    func enter(_ new: Phase) { phase.withLock { $0 = new } }

    /// Takes the replica out of service, when there is one: from now on requests are refused. Whoever has it stops it.
    func takeReplica(entering new: Phase) -> DiskReplica? {
        phase.withLock { phase in
            guard case .running(let replica) = phase else { return nil }
            phase = new
            return replica
        }
    }

    /// In service, or the reason why not.
    var replica: Result<DiskReplica, StorageError> {
        phase.withLock { phase in
            switch phase {
            case .running(let replica): .success(replica)
            case .opening: .failure(.unavailable("\(path) is being opened"))
            case .rebuilding: .failure(.unavailable("the index of \(path) is being rebuilt"))
            case .failed(let error): .failure(error)
            case .retired: .failure(.unavailable("\(path) is retired"))
            }
        }
    }

    /// Whether it serves with this replica: one that is opened again has another.
    func serves(_ replica: DiskReplica) -> Bool {
        phase.withLock { if case .running(let current) = $0 { current === replica } else { false } }
    }

    /// Somebody opens it again.
    func leaveFailed() { phase.withLock { if case .failed = $0 { $0 = .opening } } }

    var isFailed: Bool { phase.withLock { if case .failed = $0 { true } else { false } } }

    func state(isDraining: Bool) -> State {
        switch phase.withLock({ $0 }) {
        case .opening: .opening
        case .rebuilding: .rebuilding
        case .failed: .failed
        case .retired: .retired
        case .running(let replica):
            if replica.failure != nil {
                .readOnly
            } else if isDraining {
                .draining
            } else {
                replica.log.isFull ? .full : .running
            }
        }
    }

    /// Why it is not simply running.
    var reason: String? {
        switch phase.withLock({ $0 }) {
        case .failed(let error): error.description
        case .running(let replica): replica.failure?.description
        case .opening, .rebuilding, .retired: nil
        }
    }
}
