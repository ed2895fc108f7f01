import ClusterState
import MessageBus
import Model
import Synchronization
import Wire

@testable import Gateway

/// A manager and a mirror of its state, in one process.
final class MemoryCluster: ClusterViewing, BucketChanging {
    private struct State {
        /// What the manager knows.
        var records: [String: BucketRecord] = [:]
        var webhooks: [WebhookRecord] = []
        var keys: [EncryptionKeyRecord] = []
        /// What the gateway has fetched of it.
        var view = ClusterView.empty
        var refreshes = 0
        var unreachable = false
    }

    private let state = Mutex(State())

    var view: ClusterView { state.withLock { $0.view } }
    var refreshes: Int { state.withLock { $0.refreshes } }

    func setUnreachable(_ flag: Bool) { state.withLock { $0.unreachable = flag } }

    func refresh() async throws {
        try state.withLock { state in
            state.refreshes += 1
            guard !state.unreachable else { throw ClusterStateError.noManagerReachable("test") }
            state.view = ClusterView(
                revision: 1,
                entries: state.records.values.map {
                    StateEntry(key: "buckets/\($0.name)", value: $0.encoded(), deleted: false, revision: 1)
                }
                    + ["alice", "bob", "carol"].map {
                        StateEntry(key: "users/\($0)", value: UserRecord(id: $0).encoded(), revision: 1)
                    }
                    + state.webhooks.map {
                        StateEntry(key: "webhooks/\($0.name)", value: $0.encoded(), revision: 1)
                    }
                    + state.keys.map {
                        StateEntry(key: ClusterKeys.encryptionKey($0.name), value: $0.encoded(), revision: 1)
                    })
        }
    }

    func addWebhook(_ name: String, url: String) {
        state.withLock { $0.webhooks.append(WebhookRecord(name: name, url: url)) }
    }

    /// Adds a key, or a version of it, that the gateway does not know of yet.
    func put(_ key: EncryptionKeyRecord) {
        state.withLock { state in
            state.keys.removeAll { $0.name == key.name }
            state.keys.append(key)
        }
    }

    /// Adds a bucket that the gateway does not know of yet.
    @discardableResult
    func add(
        _ name: String, owner: String = "alice", acl: String = "private", documents: [String: String] = [:],
        _ edit: (inout BucketRecord) -> Void = { _ in }
    ) -> BucketRecord {
        var bucket = BucketRecord(
            name: name, id: BucketID.random().bytes, owner: owner, acl: acl,
            documents: documents.map { BucketDocument(name: $0.key, content: Array($0.value.utf8)) })
        edit(&bucket)
        state.withLock { [bucket] in $0.records[name] = bucket }
        return bucket
    }

    func change(_ request: ChangeBucketRequest, context: MessageContext) async throws -> ChangeBucketReply {
        try state.withLock { state in
            guard !state.unreachable else { throw BusError(.unreachable, "test") }
            let outcome = Self.apply(request, &state.records[request.name])
            return ChangeBucketReply(outcome: outcome, revision: 1, bucket: state.records[request.name])
        }
    }

    private static func set(_ documents: [BucketDocument], in bucket: inout BucketRecord?) {
        for document in documents {
            bucket?.documents.removeAll { $0.name == document.name }
            if !document.content.isEmpty { bucket?.documents.append(document) }
        }
    }

    private static func apply(_ request: ChangeBucketRequest, _ bucket: inout BucketRecord?) -> BucketChangeOutcome {
        if request.change == .bucketCreate {
            if let bucket { return bucket.owner == request.owner ? .bucketExistsOwned : .bucketExistsForeign }
            bucket = BucketRecord(
                name: request.name, id: BucketID.random().bytes, owner: request.owner, acl: request.acl,
                location: request.location, documents: request.documents)
            return .bucketChanged
        }
        guard bucket != nil else { return .bucketAbsent }
        switch request.change {
        case .bucketDeleteBegin: bucket?.state = .bucketDeleting
        case .bucketDeleteCancel: bucket?.state = .bucketActive
        case .bucketDeleteFinish: bucket = nil
        case .bucketSetDocuments: set(request.documents, in: &bucket)
        default:
            bucket?.acl = request.acl
            set(request.documents, in: &bucket)
        }
        return .bucketChanged
    }
}
