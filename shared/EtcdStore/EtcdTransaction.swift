import ClusterStore

/// A transaction in etcd's words, such that it takes effect once, however often it is sent.
///
/// It also writes a mark: a key of this client alone, with a number that no other transaction has. A repetition finds
/// its own mark and so knows that it was done; one that comes late finds that the mark has moved on and does nothing.
struct EtcdTransaction: Sendable {
    /// Where a client marks what it has done. One transaction at a time.
    struct Mark: Sendable, Equatable {
        var key: String
        /// etcd's revision of the mark's last change, as far as known.
        var revision: UInt64
        /// Number of the transaction, base64.
        var number: String
    }

    enum Verdict: Equatable {
        /// etcd's revision.
        case committed(UInt64)
        case conflict(UInt64)
        /// The mark was moved by an earlier transaction of which the answer was lost: send again with this revision.
        case again(markRevision: UInt64)
    }

    private let transaction: StoreTransaction
    private let keys: EtcdKeys
    private let offset: UInt64

    init(_ transaction: StoreTransaction, _ keys: EtcdKeys, offset: UInt64) {
        self.transaction = transaction
        self.keys = keys
        self.offset = offset
    }

    /// Without this a mark would make a revision where nothing changes. A transaction that only deletes what may be
    /// absent can be repeated as it is.
    var surelyChanges: Bool {
        transaction.operations.contains { operation in
            guard case .delete(let key) = operation else { return true }
            return transaction.conditions.contains {
                if case .revision(key, _) = $0 { true } else { false }
            }
        }
    }

    func request(_ mark: Mark?) -> EtcdTransactionRequest {
        var request = EtcdTransactionRequest(
            compare: transaction.conditions.map(compare), success: lastOperations.map(operation))
        if let mark {
            request.compare.append(EtcdCompare(key: mark.key, modRevision: "\(mark.revision)"))
            request.success.append(EtcdOperation(put: EtcdPut(key: mark.key, value: mark.number)))
            request.failure = [EtcdOperation(range: EtcdKeyOnly(key: mark.key))]
        }
        return request
    }

    /// What etcd's answer means.
    static func verdict(_ answer: EtcdTransactionAnswer, _ mark: Mark) -> Verdict {
        let revision = UInt64(answer.header.revision ?? "") ?? 0
        if answer.succeeded == true { return .committed(revision) }
        let found = answer.responses?.first?.range?.kvs?.first
        let foundRevision = UInt64(found?.modRevision ?? "") ?? 0
        if let found, found.value == mark.number { return .committed(foundRevision) }
        return foundRevision == mark.revision ? .conflict(revision) : .again(markRevision: foundRevision)
    }

    private func compare(_ condition: StoreTransaction.Condition) -> EtcdCompare {
        switch condition {
        case .absent(let key): EtcdCompare(key: keys.entry(key), modRevision: "0")
        case .revision(let key, let revision):
            // A revision from before the state came here is no key's.
            EtcdCompare(
                key: keys.entry(key), modRevision: "\(revision > offset ? revision - offset : UInt64(Int64.max))")
        }
    }

    /// etcd takes a key once only: of several operations on it the last one counts.
    private var lastOperations: [StoreTransaction.Operation] {
        var seen: Set<String> = []
        return transaction.operations.reversed().filter { seen.insert(Self.key($0)).inserted }.reversed()
    }

    private static func key(_ operation: StoreTransaction.Operation) -> String {
        switch operation {
        case .put(let key, _, _), .delete(let key): key
        }
    }

    private func operation(_ operation: StoreTransaction.Operation) -> EtcdOperation {
        switch operation {
        case .put(let key, let value, let lease):
            EtcdOperation(
                put: EtcdPut(key: keys.entry(key), value: base64(value), lease: lease.map { "\($0.rawValue)" }))
        case .delete(let key): EtcdOperation(delete: EtcdKeyOnly(key: keys.entry(key)))
        }
    }
}
