import ClusterState
import Logging
import MessageBus
import Model
import ObjectAccess
import Synchronization
import Wire

/// Takes back the chunks that registers no longer refer to, as their replicas have noted.
///
/// Each replica notes a release of its own and keeps it until it is told to forget it, which happens only when every
/// replica of every chunk has acknowledged, or when the blob turned out to be in use. So nothing is lost when this
/// process or a replica dies in between: it is done again, without effect.
final class ReleaseCollection: Sendable {
    struct Settings: Sendable {
        /// Younger releases wait: readers and completions of uploads that began before must be over.
        var grace: Duration
        var concurrency: Int
    }

    /// Encoded as JSON for the administrator.
    struct Status: Codable, Sendable, Equatable {
        /// Releases that nodes keep, young ones included, as of the last look.
        var waiting = 0
        /// Since the start.
        var chunksDropped = 0
        var releasesDone = 0
        /// Blobs that turned out to be in use.
        var blobsKept = 0
        /// Releases that could not be finished, at the last look: they are tried again.
        var postponed = 0
        /// Nodes that did not answer, at the last look.
        var unreachable: [String] = []
        var lastError = ""
    }

    /// What several replicas say about the same blobs.
    private struct Group: Sendable {
        var release: Release
        var name: Model.RegisterName
        var keepers: [NodeName: [[UInt8]]]
    }

    private struct GroupKey: Hashable {
        var name: Model.RegisterName
        var blobs: [[UInt8]]
    }

    private static let pageSize: UInt32 = 256
    private static let timeout = Duration.seconds(5)

    private let bus: any RequestSending
    private let cluster: any ClusterViewing
    private let reclaiming: ChunkReclaiming
    private let settings: Settings
    private let metrics: ReleaseMetrics
    private let logger: Logger
    private let state = Mutex(Status())

    init(
        registers: RegisterClient, bus: any RequestSending, cluster: any ClusterViewing, settings: Settings,
        metrics: ReleaseMetrics, logger: Logger
    ) {
        self.bus = bus
        self.cluster = cluster
        self.settings = settings
        self.metrics = metrics
        self.logger = logger
        reclaiming = ChunkReclaiming(registers)
    }

    var status: Status { state.withLock { $0 } }

    /// Goes once through the releases of all nodes that are old enough. One at a time: the caller sees to that.
    func round(_ handle: TaskHandle = TaskHandle()) async {
        var cursors = Dictionary(uniqueKeysWithValues: cluster.view.storageNodes.map { ($0, [UInt8]()) })
        var waiting: [NodeName: UInt64] = [:]
        var postponed = 0
        var unreachable: Set<String> = []
        while !cursors.isEmpty, !Task.isCancelled {
            var groups: [GroupKey: Group] = [:]
            for (node, cursor) in cursors {
                let page = await fetch(from: node, after: cursor)
                if page == nil { unreachable.insert(node.rawValue) }
                waiting[node] = page.map(\.total) ?? waiting[node]
                cursors[node] = page.flatMap { $0.releases.count < Self.pageSize ? nil : $0.releases.last?.id }
                for release in page?.releases ?? [] { add(release, of: node, to: &groups) }
            }
            let (done, failed) = await settle(Array(groups.values), handle)
            postponed += failed
            for (node, count) in done { waiting[node] = waiting[node].map { $0 - min($0, UInt64(count)) } }
        }
        let total = Int(clamping: waiting.values.reduce(0, +))
        metrics.waiting.set(total)
        state.withLock { [postponed, unreachable] state in
            state.waiting = total
            state.unreachable = unreachable.sorted()
            state.postponed = postponed
        }
    }

    private func add(_ release: Release, of node: NodeName, to groups: inout [GroupKey: Group]) {
        guard let name = Model.RegisterName(release.name) else { return }
        let key = GroupKey(name: name, blobs: release.blobs.map(\.id).sorted { $0.lexicographicallyPrecedes($1) })
        groups[key, default: Group(release: release, name: name, keepers: [:])].keepers[node, default: []]
            .append(release.id)
    }

    /// Returns how many releases each node was made to forget, and how many groups must be tried again.
    private func settle(
        _ groups: [Group], _ handle: TaskHandle
    ) async -> (done: [NodeName: Int], postponed: Int) {
        guard !groups.isEmpty else { return ([:], 0) }
        guard (try? await handle.admit(objects: groups.count)) != nil else { return ([:], groups.count) }
        handle.update { $0.total += UInt64(groups.count) }
        let reclaiming = self.reclaiming
        let results = await boundedResults(groups, concurrency: settings.concurrency) {
            (group) async throws(AccessError) in
            try await reclaiming.reclaim(
                group.release.blobs, releasedBy: group.name, objectKey: group.release.objectKey)
        }
        var settled: [NodeName: [[UInt8]]] = [:]
        var postponed = 0
        for (group, result) in zip(groups, results) {
            if case .success(let outcome) = result { handle.update { $0.objects += UInt64(outcome.dropped) } }
            if note(result, group) {
                handle.update { $0.done += 1 }
                settled.merge(group.keepers) { $0 + $1 }
            } else {
                postponed += 1
                handle.update { $0.failures += 1 }
            }
        }
        for (node, ids) in settled { await forget(ids, at: node) }
        return (settled.mapValues(\.count), postponed)
    }

    /// Returns whether nothing is left to be done.
    private func note(_ result: Result<ChunkReclaiming.Outcome, AccessError>, _ group: Group) -> Bool {
        switch result {
        case .success(let outcome):
            metrics.dropped.increment(by: outcome.dropped)
            metrics.kept.increment(by: outcome.kept)
            state.withLock { state in
                state.chunksDropped += outcome.dropped
                state.blobsKept += outcome.kept
                if outcome.isSettled { state.releasesDone += 1 }
            }
            return outcome.isSettled
        case .failure(let error):
            metrics.failures.increment()
            state.withLock { $0.lastError = "\(error)" }
            logger.debug("chunks cannot be taken back yet", metadata: ["error": "\(error)"])
            return false
        }
    }

    // MARK: - Requests

    private func fetch(from node: NodeName, after: [UInt8]) async -> FetchReleasesReply? {
        let age = Int64(settings.grace / .milliseconds(1))
        let request = FetchReleasesRequest(after: after, limit: Self.pageSize, ageMilliseconds: age)
        return try? await bus.request(
            .fetchReleases, request, to: node, timeout: Self.timeout, answer: FetchReleasesReply.self
        ).message
    }

    /// A release that is not forgotten is settled again, without effect.
    private func forget(_ ids: [[UInt8]], at node: NodeName) async {
        _ = try? await bus.request(
            .forgetReleases, ForgetReleasesRequest(ids: ids), to: node, timeout: Self.timeout,
            answer: ForgetReleasesReply.self)
    }
}
