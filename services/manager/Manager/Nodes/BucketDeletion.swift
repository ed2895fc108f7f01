import ClusterState
import Logging
import MessageBus
import Model
import ObjectAccess
import Wire

/// `delete-bucket`: only a bucket that is proved empty goes.
///
/// First the bucket is marked, so that gateways refuse new objects; when all of them know, its keys are listed with a
/// read quorum of every partition. Anything but an empty answer takes the mark back.
struct BucketDeletion: Sendable {
    static let gatewayTimeout = Duration.seconds(5)

    let cluster: ManagedCluster
    let watch: MemberWatch
    let lister: Lister
    let context: @Sendable () -> VerbContext

    func run(_ call: VerbCall) async throws {
        let owner = try BucketVerbs.owner(call)
        if call.argument(2) == "force" { return try await remove(call, owner) }
        let name = try BucketVerbs.existing(call).name
        let begun = try await change(.bucketDeleteBegin, name, owner.id)
        guard begun.outcome == .bucketChanged, let bucket = begun.bucket else {
            throw VerbError(.forbidden, "The bucket belongs to another user")
        }
        do {
            try await proveEmpty(bucket)
        } catch {
            _ = try? await change(.bucketDeleteCancel, name, owner.id, bucket.id)
            throw error
        }
        _ = try await change(.bucketDeleteFinish, name, owner.id, bucket.id)
    }

    /// Hands the bucket to the repair process, which removes what is in it. Answers when gateways take no more writes.
    private func remove(_ call: VerbCall, _ owner: UserRecord) async throws {
        let name = call.argument(0)
        try await cluster.change { state, edit in
            guard let bucket = state.view.buckets[name] else { throw VerbError(.notFound, "Bucket not found") }
            guard bucket.owner == owner.id else { throw VerbError(.forbidden, "The bucket belongs to another user") }
            if bucket.state != .bucketRemoving { BucketChanges.beginRemoval(bucket, &edit) }
        }
        await watch.gatewaysReach(cluster.view.revision, timeout: Self.gatewayTimeout)
    }

    private func change(
        _ kind: BucketChange, _ name: String, _ owner: String, _ id: [UInt8] = []
    ) async throws -> ChangeBucketReply {
        let request = ChangeBucketRequest(change: kind, name: name, owner: owner, id: id)
        return try await cluster.change { state, edit in
            try BucketChanges.apply(request, state, &edit, context())
        }
    }

    private func proveEmpty(_ bucket: BucketRecord) async throws {
        // Without a ring nothing was ever stored.
        guard cluster.view.ring != nil else { return }
        guard let id = bucket.bucketID else { throw VerbError(.internalError, "the bucket's record is damaged") }
        await watch.gatewaysReach(cluster.view.revision, timeout: Self.gatewayTimeout)
        let page: ListPage
        do {
            page = try await lister.list(ListQuery(bucket: id, limit: 1))
        } catch {
            throw VerbError(.unavailable, "It cannot be told now whether the bucket is empty: \(error)")
        }
        guard page.entries.isEmpty, !page.truncated else { throw VerbError(.conflict, "The bucket is not empty") }
    }
}

/// Deletions that a gateway began and never ended: it died in between. Pure.
struct StalledDeletions {
    /// Longer than any gateway takes.
    static let patience = Duration.seconds(300)

    private var since: [[UInt8]: Duration] = [:]

    /// The buckets whose deletion is to be cancelled.
    mutating func update(_ buckets: some Sequence<BucketRecord>, at now: Duration) -> [BucketRecord] {
        let deleting = buckets.filter { $0.state == .bucketDeleting }
        let known = since
        since = Dictionary(deleting.map { ($0.id, known[$0.id] ?? now) }) { first, _ in first }
        return deleting.filter { now - (since[$0.id] ?? now) > Self.patience }
    }
}
