import GRDB
import Synchronization

extension SQLiteClusterStore {
    public func watch(_ range: KeyRange, after revision: UInt64) -> StoreWatch {
        StoreWatch { [self] in
            let position = WatchPosition(revision)
            return { () async throws(StoreError) in try await self.nextBatch(range, position) }
        }
    }

    private func nextBatch(_ range: KeyRange, _ position: WatchPosition) async throws(StoreError) -> [StoreChange]? {
        while !bell.isClosed && !Task.isCancelled {
            let after = position.revision
            let batch = try await perform { try StoreTables.changes(range, after: after, $0) }
            position.revision = batch.upTo
            if !batch.changes.isEmpty { return batch.changes }
            if batch.upTo == after { await bell.wait(after: after) }
        }
        return nil
    }

    public func grantLease(seconds: Int) async throws(StoreError) -> LeaseID {
        let now = options.now()
        let lease = try await perform { try StoreLeases.grant(seconds: seconds, $0, now: now) }
        try await updateDeadline()
        startLeaseTimer()
        return lease
    }

    public func renewLease(_ lease: LeaseID) async throws(StoreError) {
        let now = options.now()
        try await perform { try StoreLeases.renew(lease, $0, now: now) }
        try await updateDeadline()
    }

    public func revokeLease(_ lease: LeaseID) async throws(StoreError) {
        let revision = try await perform { try StoreLeases.end(lease, $0) }
        try await updateDeadline()
        bell.ring(revision)
    }

    private func updateDeadline() async throws(StoreError) {
        let deadline = try await perform { try StoreLeases.nextDeadline($0) }
        nextDeadline.withLock { $0 = deadline }
    }
}

/// How far one reader of a watch has come.
private final class WatchPosition: Sendable {
    private let state: Mutex<UInt64>
    init(_ revision: UInt64) { state = Mutex(revision) }
    var revision: UInt64 {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
