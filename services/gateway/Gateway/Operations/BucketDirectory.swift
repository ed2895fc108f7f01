import ClusterState
import MessageBus
import Model
import S3Protocol
import Wire

/// Asks a manager to change a bucket.
protocol BucketChanging: Sendable {
    func change(_ request: ChangeBucketRequest, context: MessageContext) async throws -> ChangeBucketReply
}

/// Tries the managers one after the other. A repeated request is answered as the first was.
struct ManagerBucketChanges: BucketChanging {
    let bus: any RequestSending
    let cluster: any ClusterViewing
    let timeout: Duration

    func change(_ request: ChangeBucketRequest, context: MessageContext) async throws -> ChangeBucketReply {
        try await ask(.changeBucket, request, ChangeBucketReply.self, context)
    }

    private func ask<Reply: WireMessage & Sendable>(
        _ type: MessageType, _ request: some WireMessage & Sendable, _ answer: Reply.Type, _ context: MessageContext
    ) async throws -> Reply {
        var failure = BusError(.unreachable, "no manager is known")
        for manager in managers {
            do {
                return try await bus.request(
                    type, request, to: manager, timeout: timeout, context: context, answer: answer
                ).message
            } catch { failure = error }
        }
        throw failure
    }

    /// Those that are known to run first.
    private var managers: [NodeName] {
        let view = cluster.view
        let running = view.managers.filter { view.members[$0]?.state == .running }
        return running + view.managers.filter { !running.contains($0) }
    }
}

extension ManagerBucketChanges: IdentityChanging {
    func revoke(_ request: RevokeTokenRequest, context: MessageContext) async throws {
        _ = try await ask(.revokeToken, request, RevokeTokenReply.self, context)
    }

    func changeAccount(_ request: ChangeAccountRequest, context: MessageContext) async throws {
        _ = try await ask(.changeAccount, request, ChangeAccountReply.self, context)
        try await cluster.refresh()
    }
}

/// Buckets by name: the mirror of the cluster's state, brought up to date when a name is missing.
final class BucketDirectory: Sendable {
    private let cluster: any ClusterViewing
    private let changes: any BucketChanging
    private let refresh: SharedRefresh

    init(cluster: any ClusterViewing, changes: any BucketChanging, refresh: SharedRefresh) {
        self.cluster = cluster
        self.changes = changes
        self.refresh = refresh
    }

    /// The bucket, also while it is being deleted. Throws what says that nobody knows when no manager can be asked for a name
    /// that is unknown here.
    func find(_ name: String) async throws -> BucketRecord {
        // Containers of Swift that have a name of another form are out of S3's reach.
        guard !name.utf8.contains(UInt8(ascii: "/")) else { throw Self.missing(name) }
        if let bucket = cluster.view.buckets[name] { return bucket }
        guard isValidBucketName(name) else { throw Self.missing(name) }
        try await refresh()
        guard let bucket = cluster.view.buckets[name] else { throw Self.missing(name) }
        return bucket
    }

    /// The container of an account, one that another gateway has just made too.
    func container(_ name: String, project: String) async -> BucketRecord? {
        if let container = cluster.view.container(name, project: project) { return container }
        await refreshForUnknown()
        return cluster.view.container(name, project: project)
    }

    /// The bucket, if it is known here.
    func known(_ name: String) -> BucketRecord? { cluster.view.buckets[name] }

    /// Whether there is a user with this id.
    func isUser(_ id: String) -> Bool { cluster.view.user(id: id) != nil }

    /// The bucket as it is now. Throws when it was deleted, or is about to be, since it was found: nothing may be
    /// written to it.
    @discardableResult
    func checkWritable(_ bucket: BucketRecord) throws -> BucketRecord {
        guard let now = cluster.view.buckets[bucket.name], now.id == bucket.id else { throw Self.missing(bucket.name) }
        guard now.state == .bucketActive else {
            throw S3Error(.operationAborted, "The bucket is being deleted.")
        }
        return now
    }

    /// Whether there is a webhook of this name. One that was just added is found too.
    func isWebhook(_ name: String) async -> Bool {
        if cluster.view.webhooks[name] != nil { return true }
        try? await refresh()
        return cluster.view.webhooks[name] != nil
    }

    func buckets(owner: String) -> [BucketRecord] {
        cluster.view.buckets(owner: owner).filter { $0.state == .bucketActive && $0.isNamedForS3 }
    }

    /// Somebody has asked for a name that is not known here: perhaps another gateway has just made it.
    func refreshForUnknown() async {
        try? await refresh()
    }

    /// Carries out a change at the manager and makes it visible here.
    func change(_ request: ChangeBucketRequest, context: MessageContext) async throws -> ChangeBucketReply {
        let reply = try await changes.change(request, context: context)
        // A change that the manager has made is answered even if it cannot be fetched now: the mirror comes to it.
        // The headers of a container that is made again are merged into those that it has.
        let isMerged = reply.outcome == .bucketExistsOwned && !request.headers.isEmpty
        if reply.outcome == .bucketChanged || isMerged { try? await cluster.refresh() }
        return reply
    }

    private static func missing(_ name: String) -> S3Error {
        S3Error(.noSuchBucket, fields: [.init("BucketName", name)])
    }
}
