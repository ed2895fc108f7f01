import ClusterState
import ClusterStore
import Configuration
import FailureDetection
import Logging
import MessageBus
import Model
import NIOPosix
import Observability
import ProcessRuntime
import Wire

/// Entry point of `martlet-manager`.
public func runManager() async -> Never {
    let foundation = ProcessFoundation.prepare(
        role: .manager, name: "manager", settings: CommonSettings.local + ManagerSettings.all)
    let process = ManagerProcess(foundation)
    await foundation.run(start: { try await process.start() }, stop: { await process.stop() })
}

/// Starts and stops the parts of the manager in order.
actor ManagerProcess {
    static let housekeepingInterval = Duration.seconds(2)

    private let foundation: ProcessFoundation
    private let desk: ManagerDesk
    private var store: (any ClusterStore)?
    private var cluster: ManagedCluster?
    private var bus: MessageBus?
    private var watch: MemberWatch?
    private var leadership: Leadership?
    private var heartbeats: Task<Void, Never>?
    private var ring: RingLeader?
    private var admin: AdminServer?
    private var housekeeping: Task<Void, Never>?

    private var configuration: Configuration { foundation.configuration }
    private var directory: String { foundation.directory.path }
    private var logger: Logger { foundation.logger }

    init(_ foundation: ProcessFoundation) {
        self.foundation = foundation
        desk = ManagerDesk(name: foundation.name, logger: foundation.logger)
    }

    func start() async throws {
        let store = try await ManagerStore.open(
            configuration, name: foundation.name, directory: directory, logger: logger)
        self.store = store
        let cluster = try await ManagedCluster.load(store, logger: logger)
        self.cluster = cluster
        let masterKey = try MasterKeyFile.load(
            configured: configuration[ManagerSettings.masterKey], directory: directory,
            isNew: cluster.state.entries.isEmpty)
        let keys = try CurveKeyPair.loadOrCreate(path: directory + "/identity.key")
        let ownAdminKeys = try AdminFile.keyPair(directory: directory, cluster.state, masterKey)
        let bus = try startBus(cluster, keys)
        self.bus = bus
        let endpoint = ownEndpoint(bus, keys)
        let base = VerbContext(
            now: wallMilliseconds(), masterKey: masterKey, version: Version.current, managerName: foundation.name,
            managerKey: keys.publicKey, bucketsPerUserMax: configuration[ManagerSettings.bucketsPerUser])
        try await beBorn(cluster, endpoint, ownAdminKeys, base)
        let adminKeys = try AdminFile.keyPair(directory: directory, cluster.state, masterKey)
        cluster.follow()
        let leadership = Leadership(store, name: foundation.name, logger: logger)
        self.leadership = leadership
        foundation.metrics.gauge("manager_leads", help: "1 on the manager that leads the others.") {
            leadership.isLeader ? 1 : 0
        }
        await leadership.start()
        let watch = startWatch(cluster, bus, leadership)
        heartbeats = Heartbeats(bus: bus, cluster: cluster, member: EnrolRequest(endpoint)).start()
        let parts = ManagerParts(
            cluster: cluster, bus: bus, watch: watch, leadership: leadership, base: base, directory: directory,
            logger: logger, metrics: foundation.metrics, durability: DurabilityAssumptions(configuration),
            deadNodeWait: ManagerSettings.deadNodeWait(configuration))
        ring = parts.ring
        parts.ring.start()
        desk.open(parts)
        try await writeFiles(cluster, endpoint, adminKeys, base)
        try await startAdminServer(cluster, watch)
        startHousekeeping(cluster, base, leadership) { [self] in try writeAdminFile(cluster, endpoint, adminKeys) }
    }

    func stop() async {
        housekeeping?.cancel()
        heartbeats?.cancel()
        watch?.stop()
        await leadership?.stop()
        cluster?.stop()
        await bus?.stop()
        await admin?.stop()
        try? await store?.close()
    }

    // MARK: - Start

    private func startBus(_ cluster: ManagedCluster, _ keys: CurveKeyPair) throws -> MessageBus {
        let bus = MessageBus(
            BusConfiguration(
                name: foundation.name, role: .manager, keyPair: keys, listen: configuration[CommonSettings.busListen],
                publish: configuration[CommonSettings.busPublish],
                enrolmentListen: configuration[ManagerSettings.enrolment],
                security: BusSecurity(rawValue: configuration[CommonSettings.busSecurity]) ?? .curve,
                localDoors: LocalDoors(configuration, logger: logger),
                currentEpoch: { cluster.view.epoch }),
            directory: cluster, handler: desk, logger: logger, metrics: foundation.metrics)
        try bus.start()
        return bus
    }

    private func ownEndpoint(_ bus: MessageBus, _ keys: CurveKeyPair) -> PeerEndpoint {
        let host = configuration[CommonSettings.busAdvertiseHost]
        return PeerEndpoint(
            name: foundation.name, role: .manager, address: AdvertisedAddress.make(bound: bus.address, host: host),
            publisher: AdvertisedAddress.make(bound: bus.publisherAddress, host: host), publicKey: keys.publicKey)
    }

    private func beBorn(
        _ cluster: ManagedCluster, _ endpoint: PeerEndpoint, _ adminKeys: CurveKeyPair, _ context: VerbContext
    ) async throws {
        let isNew = cluster.view.settings == nil
        let plan = BirthPlan(
            level: try configuredLevel(), partitions: configuration[ManagerSettings.partitions],
            dataCenter: configuration[ManagerSettings.dataCenter],
            manager: MemberRecord(
                name: endpoint.name.rawValue, role: .manager, address: endpoint.address, publisher: endpoint.publisher,
                publicKey: endpoint.publicKey, zone: configuration[CommonSettings.zone], version: Version.current),
            adminKey: adminKeys.publicKey, adminSecret: adminKeys.secretKey)
        try await cluster.change { state, edit in try ClusterBirth.ensure(plan, state, &edit, context) }
        if isNew {
            logger.notice("a new cluster", metadata: ["id": "\(cluster.view.settings?.clusterId ?? "")"])
        } else if cluster.view.consistency.replicas != plan.level.replicas {
            logger.warning("manager.replicas counts at the cluster's creation only; the cluster keeps its number")
        }
    }

    private func configuredLevel() throws -> ConsistencyLevel {
        let replicas = configuration[ManagerSettings.replicas]
        let majority = ConsistencyLevel.majority(of: replicas)
        func given(_ setting: Setting<Int>, else fallback: Int) -> Int {
            configuration[setting] == 0 ? fallback : configuration[setting]
        }
        guard
            let level = ConsistencyLevel(
                replicas: replicas, write: given(ManagerSettings.write, else: majority.write),
                read: given(ManagerSettings.read, else: majority.read),
                delete: given(ManagerSettings.delete, else: majority.delete))
        else { throw VerbError(.invalidArgument, "manager.write, read and delete must not exceed manager.replicas") }
        return level
    }

    private func startWatch(
        _ cluster: ManagedCluster, _ bus: MessageBus, _ leadership: Leadership
    ) -> MemberWatch {
        let watch = MemberWatch(
            cluster, bus: bus, timing: DetectorTiming(downAfter: configuration[ManagerSettings.failureTimeout]),
            logger: logger, metrics: foundation.metrics, own: foundation.name,
            leadership: leadership)
        self.watch = watch
        cluster.onChange { state in
            bus.publish(.stateChanged, StateChanged(revision: state.revision, epoch: state.view.epoch))
        }
        watch.start()
        return watch
    }

    private func writeFiles(
        _ cluster: ManagedCluster, _ endpoint: PeerEndpoint, _ adminKeys: CurveKeyPair, _ context: VerbContext
    ) async throws {
        try await JoinTokenFile.ensure(
            cluster, directory: directory, lifetime: configuration[ManagerSettings.joinTokenLifetime], context)
        try writeAdminFile(cluster, endpoint, adminKeys)
        logger.info(
            "the administrator's file is written",
            metadata: [
                "path": "\(directory)/\(AdminCredentials.fileName)", "enrolment": "\(bus?.enrolmentAddress ?? "")",
            ])
    }

    private nonisolated func writeAdminFile(
        _ cluster: ManagedCluster, _ endpoint: PeerEndpoint, _ adminKeys: CurveKeyPair
    ) throws {
        try AdminFile.write(
            adminKeys, own: endpoint, cluster.view,
            encrypted: foundation.configuration[CommonSettings.busSecurity] != BusSecurity.none.rawValue,
            directory: foundation.directory.path)
    }

    private func startAdminServer(_ cluster: ManagedCluster, _ watch: MemberWatch) async throws {
        admin = try await AdminServer.start(
            listen: configuration[CommonSettings.adminListen], group: MultiThreadedEventLoopGroup(numberOfThreads: 1),
            metrics: foundation.metrics,
            handlers: .init(
                readiness: { ["store": (try? await cluster.store.get(ClusterKeys.settings)) != nil] },
                cluster: { Self.health(cluster.view, watch.liveness) }),
            logger: logger)
    }

    private static func health(_ view: ClusterView, _ liveness: [NodeName: Liveness]) -> AdminServer.Health {
        guard let ring = view.ring else { return .init(isGood: false, json: "{\"status\":\"no ring\"}") }
        let reachable = ring.nodes.filter { node in
            // Whoever was not judged since this manager's start counts as its state says.
            guard let life = liveness[node], life.verdict != .unknown else {
                return view.members[node]?.state == .running
            }
            return life.isAlive
        }
        return ClusterProbe.judge(ring, level: view.consistency, reachable: Set(reachable))
    }

    private func startHousekeeping(
        _ cluster: ManagedCluster, _ base: VerbContext, _ leadership: Leadership,
        writeAdminFile: @escaping @Sendable () throws -> Void
    ) {
        let logger = logger
        housekeeping = Task {
            var stalled = StalledDeletions()
            let began = ContinuousClock.now
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.housekeepingInterval)
                // Managers come, go and move.
                do { try writeAdminFile() } catch { logger.error("admin.toml", metadata: ["error": "\(error)"]) }
                let due = stalled.update(cluster.view.buckets.values, at: ContinuousClock.now - began)
                if leadership.isLeader { await Self.cancel(due, cluster, base, leadership, logger) }
            }
        }
    }

    private static func cancel(
        _ deletions: [BucketRecord], _ cluster: ManagedCluster, _ context: VerbContext,
        _ leadership: Leadership, _ logger: Logger
    ) async {
        for bucket in deletions {
            logger.warning("an abandoned deletion is cancelled", metadata: ["bucket": "\(bucket.name)"])
            let request = ChangeBucketRequest(change: .bucketDeleteCancel, name: bucket.name, id: bucket.id)
            _ = try? await cluster.change { state, edit in
                try leadership.require(&edit)
                return try BucketChanges.apply(request, state, &edit, context)
            }
        }
    }
}

extension EnrolRequest {
    /// What heartbeats say of a manager.
    fileprivate init(_ endpoint: PeerEndpoint) {
        self.init(
            name: endpoint.name.rawValue, role: endpoint.role, publicKey: endpoint.publicKey,
            address: endpoint.address, publisher: endpoint.publisher, version: Version.current)
    }
}
