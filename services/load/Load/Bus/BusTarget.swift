import ClusterState
import MessageBus
import Model
import NIOCore
import ObjectAccess
import ProcessRuntime
import Synchronization
import Wire

/// One client of the storage nodes: what a gateway does for a request, without HTTP, signatures and rules.
final class BusTarget: LoadTarget, Sendable {
    private static let pingTimeout = Duration.seconds(5)

    private let shared: BusTargets
    private let bucket: BucketID
    private let owner: String
    private let plan: LoadPlan
    /// Which storage node is pinged next.
    private let next: Atomic<Int>

    init(_ shared: BusTargets, bucket: BucketID, owner: String, _ plan: LoadPlan, first: Int) {
        self.shared = shared
        self.bucket = bucket
        self.owner = owner
        self.plan = plan
        next = Atomic(first)
    }

    func moveOn() {}
    func close() {}

    func perform(
        _ planned: PlannedOperation, turn: Int, _ content: ObjectContent?, isolation: isolated (any Actor)?
    ) async throws -> OperationResult {
        do {
            switch planned.operation {
            case .ping: return try await ping()
            case .put: return try await put(planned.key, content)
            case .get: return try await read(planned.key, withContent: true)
            case .head: return try await read(planned.key, withContent: false)
            case .delete: return try await delete(planned.key)
            case .list: return try await list(prefix: planned.key)
            case .multipart: preconditionFailure("refused by the command")
            }
        } catch let error as AccessError {
            return .failed("\(error)", mayRetry: true)
        }
    }

    private func name(_ key: String) -> Model.RegisterName {
        Model.RegisterName(bucket: bucket, key: Array(key.utf8))
    }

    // MARK: - Operations

    /// The storage nodes in turn.
    private func ping() async throws -> OperationResult {
        let nodes = shared.nodes
        let node = nodes[next.wrappingAdd(1, ordering: .relaxed).oldValue % nodes.count]
        _ = try await shared.bus.request(
            .ping, PingRequest(), to: node, timeout: Self.pingTimeout, answer: PingReply.self)
        return .done(bytes: 0)
    }

    private func put(_ key: String, _ content: ObjectContent?) async throws -> OperationResult {
        guard let content else { preconditionFailure("a put has content") }
        let (record, staged) = StoredObject.make(content, owner: owner, milliseconds: WallClock.milliseconds)
        let stored = record.stored
        _ = try await shared.registers.update(name(key), staged: staged) { _ in .write(stored) }
        return .done(bytes: content.size)
    }

    private func read(_ key: String, withContent: Bool) async throws -> OperationResult {
        let snapshot = try await shared.registers.read(name(key), withBlob: withContent)
        guard let record = try ObjectRecord(snapshot) else { return .done(bytes: 0, found: false) }
        let bytes = snapshot.blob ?? ByteBuffer()
        guard plan.checks else { return .done(bytes: bytes.readableBytes) }
        return StoredObject.judge(record, bytes, key: key, withContent: withContent)
    }

    private func delete(_ key: String) async throws -> OperationResult {
        _ = try await shared.registers.update(name(key), deleting: true) { state in
            state?.isLive == true ? .write(.tombstone) : .keep
        }
        return .done(bytes: 0)
    }

    private func list(prefix: String) async throws -> OperationResult {
        let page = try await shared.lister.list(
            ListQuery(bucket: bucket, prefix: Array(prefix.utf8), limit: plan.listKeys))
        let bytes = page.entries.reduce(0) { sum, entry in
            if case .key(let key, let summary, _) = entry { sum + key.count + summary.count } else { sum }
        }
        return .done(bytes: bytes)
    }
}

/// Clients of the storage nodes; they share what the clients of one gateway share.
struct BusTargets: LoadTargets {
    static let operations: [LoadOperation] = [.ping, .put, .get, .head, .delete, .list]

    let bus: MessageBus
    let nodes: [NodeName]
    let registers: RegisterClient
    let lister: Lister
    private let cluster: ClusterStateMirror

    /// Fails when the cluster has no ring yet.
    init(_ context: ProcessContext) async throws {
        try await context.cluster.refresh()
        guard let ring = context.cluster.view.ring else {
            throw LoadFailure(.unreachable, "the cluster has no ring yet")
        }
        bus = context.bus
        cluster = context.cluster
        nodes = ring.nodes
        registers = RegisterClient(
            bus: context.bus, cluster: context.cluster, writer: context.writer, logger: context.logger,
            metrics: context.metrics)
        lister = Lister(registers)
    }

    func prepare(_ plan: LoadPlan, on group: any EventLoopGroup) async throws -> any LoadTargets {
        guard plan.mix.contains(where: { $0.operation != .ping }) else { return self }
        guard let bucket = cluster.view.buckets[plan.bucket] else {
            throw LoadFailure(.unreachable, "there is no bucket \(plan.bucket): make it over S3 first")
        }
        guard bucket.versioning == .unversioned else {
            throw LoadFailure(.unreachable, "\(plan.bucket) has versions: only a gateway keeps those that are replaced")
        }
        return self
    }

    func target(ofWorker id: Int, _ plan: LoadPlan, on eventLoop: any EventLoop) -> sending any LoadTarget {
        let bucket = cluster.view.buckets[plan.bucket]
        return BusTarget(
            self, bucket: bucket.flatMap { BucketID($0.id) } ?? BucketID(high: 0, low: 0), owner: bucket?.owner ?? "",
            plan, first: id)
    }
}
