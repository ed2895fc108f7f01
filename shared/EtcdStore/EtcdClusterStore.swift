import ClusterStore
import Logging
import Synchronization

/// The distributed engine: an etcd cluster, for several managers. Spoken to by its JSON gateway.
public final class EtcdClusterStore: ClusterStore {
    static let format = "1"
    static let pageMax = 1_000
    static let attemptsMax = 8

    let client: EtcdClient
    let keys: EtcdKeys
    /// Added to every revision of etcd.
    let offset: UInt64
    let streams = Mutex<[ObjectIdentifier: EtcdStream]>([:])
    private let marks = EtcdMarks()

    private init(client: EtcdClient, offset: UInt64) {
        self.client = client
        keys = EtcdKeys(root: client.options.root)
        self.offset = offset
    }

    /// Reaches the cluster, and refuses keys of another program or of a newer version.
    public static func open(_ options: EtcdOptions, logger: Logger) async throws(StoreError) -> EtcdClusterStore {
        let client = try EtcdClient(options, logger: logger)
        let keys = EtcdKeys(root: options.root)
        let format = base64(keys.format.utf8)
        let first: EtcdTransactionAnswer = try await client.call(
            EtcdPath.transaction,
            EtcdTransactionRequest(
                compare: [
                    EtcdCompare(key: format, modRevision: "0"),
                    EtcdCompare(key: base64(keys.filling.utf8), modRevision: "0"),
                ],
                success: [EtcdOperation(put: EtcdPut(key: format, value: base64(Self.format.utf8)))],
                failure: [EtcdOperation(range: EtcdKeyOnly(key: format))]))
        if first.succeeded != true {
            let found = String(decoding: base64Bytes(first.responses?.first?.range?.kvs?.first?.value), as: UTF8.self)
            guard !found.isEmpty else {
                throw .foreignFormat("\(options.root) is not whole: what was filling it has not finished, run it again")
            }
            guard found == Self.format else {
                throw .foreignFormat("\(options.root) has format \(found), this program knows \(Self.format)")
            }
        }
        let answer: EtcdRangeAnswer = try await client.call(
            EtcdPath.range, EtcdRangeRequest(key: base64(keys.offset.utf8)))
        let offset = String(decoding: base64Bytes(answer.kvs?.first?.value), as: UTF8.self)
        return EtcdClusterStore(client: client, offset: UInt64(offset) ?? 0)
    }

    public func get(_ key: String) async throws(StoreError) -> StoreEntry? {
        let answer: EtcdRangeAnswer = try await client.call(EtcdPath.range, EtcdRangeRequest(key: keys.entry(key)))
        return answer.kvs?.first.flatMap { entry($0) }
    }

    public func range(_ range: KeyRange, limit: Int?) async throws(StoreError) -> StoreSnapshot {
        guard let bounds = keys.bounds(range), limit != 0 else {
            let answer: EtcdRangeAnswer = try await client.call(EtcdPath.range, EtcdRangeRequest(key: keys.nothing))
            return StoreSnapshot(revision: revision(answer.header), entries: [])
        }
        for _ in 0..<Self.attemptsMax {
            // The revision of the first page may be compacted while the others are read.
            do { return try await pages(bounds, limit: limit) } catch .compacted { continue }
        }
        throw .unavailable("the state is compacted faster than it is read")
    }

    private func pages(_ bounds: (first: String, end: String), limit: Int?) async throws(StoreError) -> StoreSnapshot {
        var snapshot = StoreSnapshot(revision: 0, entries: [])
        var request = EtcdRangeRequest(key: bounds.first, rangeEnd: bounds.end)
        while true {
            let wanted = min(Self.pageMax, (limit ?? .max) - snapshot.entries.count)
            request.limit = "\(wanted)"
            let answer: EtcdRangeAnswer = try await client.call(EtcdPath.range, request)
            if request.revision == nil {
                request.revision = answer.header?.revision
                snapshot.revision = revision(answer.header)
            }
            let found = answer.kvs ?? []
            snapshot.entries += found.compactMap { entry($0) }
            guard answer.more == true, let last = found.last else { return snapshot }
            if let limit, snapshot.entries.count >= limit {
                snapshot.truncated = true
                return snapshot
            }
            request.key = base64(base64Bytes(last.key) + [0])
        }
    }

    public func commit(_ transaction: StoreTransaction) async throws(StoreError) -> TransactionOutcome {
        let planned = EtcdTransaction(transaction, keys, offset: offset)
        guard planned.surelyChanges else {
            let answer: EtcdTransactionAnswer = try await client.call(EtcdPath.transaction, planned.request(nil))
            let present = revision(answer.header)
            return answer.succeeded == true ? .committed(revision: present) : .conflict(revision: present)
        }
        var slot = try await marks.take()
        defer { marks.giveBack(slot) }
        return try await commit(planned, &slot)
    }

    private func commit(
        _ planned: EtcdTransaction, _ slot: inout EtcdMarks.Slot
    ) async throws(StoreError) -> TransactionOutcome {
        var random = SystemRandomNumberGenerator()
        let number = base64("\(random.next())-\(random.next())".utf8)
        for _ in 0..<Self.attemptsMax {
            let key = keys.mark(client: client.options.client, slot: slot.number)
            let mark = EtcdTransaction.Mark(key: key, revision: slot.revision, number: number)
            let answer: EtcdTransactionAnswer = try await client.call(EtcdPath.transaction, planned.request(mark))
            switch EtcdTransaction.verdict(answer, mark) {
            case .committed(let revision):
                slot.revision = revision
                return .committed(revision: revision + offset)
            case .conflict(let revision): return .conflict(revision: revision + offset)
            case .again(let revision): slot.revision = revision
            }
        }
        throw .unavailable("another process uses etcd under the name \(client.options.client)")
    }

    public func compact(upTo revision: UInt64) async throws(StoreError) {
        let present = try await range(KeyRange(first: "", end: "")).revision
        guard revision > offset else { return }
        let target = EtcdCompactionRequest(revision: "\(min(revision, present) - offset)")
        do {
            let _: EtcdEmptyAnswer = try await client.call(EtcdPath.compaction, target)
        } catch .compacted {
            // It was done before.
        }
    }

    public func close() async throws(StoreError) {
        client.close()
        for stream in streams.withLock({ Array($0.values) }) { stream.close() }
    }

    // MARK: - Leases

    public func grantLease(seconds: Int) async throws(StoreError) -> LeaseID {
        let answer: EtcdLeaseAnswer = try await client.call(EtcdPath.grant, EtcdLeaseRequest(seconds: "\(seconds)"))
        guard let id = answer.id.flatMap({ UInt64($0) }) else {
            throw .foreignFormat("etcd granted a lease without id")
        }
        return LeaseID(rawValue: id)
    }

    public func renewLease(_ lease: LeaseID) async throws(StoreError) {
        let answer: EtcdStreamed<EtcdLeaseAnswer> = try await client.call(
            EtcdPath.renewal, EtcdLeaseRequest(id: "\(lease.rawValue)"))
        guard let seconds = answer.result?.seconds, seconds != "0" else {
            if let error = answer.error { throw .unavailable("etcd refuses: \(error.text)") }
            throw .unknownLease
        }
    }

    public func revokeLease(_ lease: LeaseID) async throws(StoreError) {
        let _: EtcdEmptyAnswer = try await client.call(EtcdPath.revocation, EtcdLeaseRequest(id: "\(lease.rawValue)"))
    }

    // MARK: - Conversions

    func revision(_ header: EtcdHeader?) -> UInt64 { (UInt64(header?.revision ?? "") ?? 0) + offset }

    private func entry(_ pair: EtcdKeyValue) -> StoreEntry? {
        guard let key = keys.key(pair.key) else { return nil }
        let lease = pair.lease.flatMap { UInt64($0) }.flatMap { $0 == 0 ? nil : LeaseID(rawValue: $0) }
        return StoreEntry(
            key: key, value: base64Bytes(pair.value), revision: (UInt64(pair.modRevision ?? "") ?? 0) + offset,
            lease: lease)
    }
}

enum EtcdPath {
    static let range = "/v3/kv/range"
    static let transaction = "/v3/kv/txn"
    static let compaction = "/v3/kv/compaction"
    static let watch = "/v3/watch"
    static let grant = "/v3/lease/grant"
    static let renewal = "/v3/lease/keepalive"
    static let revocation = "/v3/kv/lease/revoke"
}
