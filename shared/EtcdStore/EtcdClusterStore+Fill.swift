import ClusterStore
import Logging

extension EtcdClusterStore {
    /// Entries of one transaction: etcd takes 128 unless it is told otherwise.
    private static let batch = 100

    /// Fills keys that nobody uses yet. The store's revision is greater than `revision` afterwards.
    ///
    /// Until it is done, nobody can open the store; what was not finished begins anew.
    ///
    /// - Parameter beforeLast: Called when all entries are written, before the store can be opened.
    public static func fill(
        _ options: EtcdOptions, with entries: [StoreEntry], after revision: UInt64, logger: Logger,
        beforeLast: () throws -> Void = {}
    ) async throws {
        let client = try EtcdClient(options, logger: logger)
        defer { client.close() }
        let keys = EtcdKeys(root: options.root)
        try await begin(client, keys)
        for start in stride(from: 0, to: entries.count, by: batch) {
            let puts = entries[start..<min(start + batch, entries.count)].map {
                EtcdOperation(put: EtcdPut(key: keys.entry($0.key), value: base64($0.value)))
            }
            let put: EtcdTransactionAnswer = try await client.call(
                EtcdPath.transaction, EtcdTransactionRequest(compare: [isFilling(keys)], success: puts))
            guard put.succeeded == true else { throw StoreError.foreignFormat("another process filled \(keys.root)") }
        }
        try beforeLast()
        let ready = [
            EtcdOperation(put: EtcdPut(key: base64(keys.offset.utf8), value: base64("\(revision)".utf8))),
            EtcdOperation(put: EtcdPut(key: base64(keys.format.utf8), value: base64(format.utf8))),
            EtcdOperation(delete: EtcdKeyOnly(key: base64(keys.filling.utf8))),
        ]
        let done: EtcdTransactionAnswer = try await client.call(
            EtcdPath.transaction,
            EtcdTransactionRequest(
                compare: [isFilling(keys)], success: ready,
                failure: [EtcdOperation(range: EtcdKeyOnly(key: base64(keys.format.utf8)))]))
        // When the answer to the first attempt was lost, the second finds that it is done.
        guard done.succeeded == true || done.responses?.first?.range?.kvs?.isEmpty == false else {
            throw StoreError.foreignFormat("another process filled \(keys.root)")
        }
    }

    /// An attempt that comes late, when managers use the store, does nothing.
    private static func isFilling(_ keys: EtcdKeys) -> EtcdCompare {
        EtcdCompare(key: base64(keys.filling.utf8), result: "GREATER", modRevision: "0")
    }

    /// Claims the keys. A store that was opened once is somebody's.
    private static func begin(_ client: EtcdClient, _ keys: EtcdKeys) async throws(StoreError) {
        let claim: EtcdTransactionAnswer = try await client.call(
            EtcdPath.transaction,
            EtcdTransactionRequest(
                compare: [EtcdCompare(key: base64(keys.format.utf8), modRevision: "0")],
                success: [
                    EtcdOperation(put: EtcdPut(key: base64(keys.filling.utf8), value: base64("1".utf8))),
                    EtcdOperation(delete: EtcdKeyOnly(key: keys.bounds(.all)!.first, rangeEnd: keys.bounds(.all)!.end)),
                ]))
        guard claim.succeeded == true else {
            throw .foreignFormat("\(keys.root) is used already: only keys that no manager has opened can be filled")
        }
    }
}
