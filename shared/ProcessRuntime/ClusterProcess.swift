import ClusterState
import Configuration
import MessageBus
import Model
import NIOPosix
import Observability
import Synchronization
import Wire

/// Starts and stops the parts of one enrolled process in order.
actor ClusterProcess {
    private let foundation: ProcessFoundation
    private let make: @Sendable (ProcessContext) async throws -> any ProcessService
    private let directory = LateDirectory()
    private let router: RequestRouter
    private let epoch = EpochCell()
    private var bus: MessageBus?
    private var mirror: ClusterStateMirror?
    private var admin: AdminServer?
    private var service: (any ProcessService)?
    private var heartbeats: Task<Void, Never>?
    private var membership: MembershipCheck?

    private var configuration: Configuration { foundation.configuration }

    init(
        _ foundation: ProcessFoundation, make: @escaping @Sendable (ProcessContext) async throws -> any ProcessService
    ) {
        self.foundation = foundation
        self.make = make
        router = RequestRouter(name: foundation.name, logger: foundation.logger)
    }

    func start() async throws {
        let keys = try CurveKeyPair.loadOrCreate(path: foundation.directory.path + "/identity.key")
        let joining = Joining(foundation, directory: directory)
        // A member knows its peers before the first of them connects.
        let stored = try joining.stored()
        if let stored { mirror = try makeMirror(stored, joining) }
        let bus = try startBus(keys)
        self.bus = bus
        try await startAdminServer()
        let member = announcement(bus, keys)
        let enrolment = if let stored { stored } else { try await joining.enrol(over: bus, as: member) }
        let mirror = if let mirror { mirror } else { try makeMirror(enrolment, joining) }
        self.mirror = mirror
        mirror.start(bus: bus, announcing: member)
        let context = ProcessContext(
            configuration: configuration, name: foundation.name, role: foundation.role, logger: foundation.logger,
            metrics: foundation.metrics, bus: bus, cluster: mirror, writer: enrolment.writer,
            dataDirectory: foundation.directory.path, masterKey: enrolment.masterKey)
        try await startService(context, member, mirror)
        let membership = joining.watchMembership(enrolment, mirror, over: bus, as: member)
        self.membership = membership
        membership.start()
    }

    private func startBus(_ keys: CurveKeyPair) throws -> MessageBus {
        let bus = MessageBus(
            BusConfiguration(
                name: foundation.name, role: foundation.role, keyPair: keys,
                listen: configuration[CommonSettings.busListen], publish: configuration[CommonSettings.busPublish],
                security: BusSecurity(rawValue: configuration[CommonSettings.busSecurity]) ?? .curve,
                localDoors: LocalDoors(configuration, logger: foundation.logger),
                currentEpoch: { [epoch] in epoch.value }),
            directory: directory, handler: router, logger: foundation.logger, metrics: foundation.metrics)
        try bus.start()
        return bus
    }

    private func startAdminServer() async throws {
        let cluster: @Sendable () async -> AdminServer.Health = { [weak self] in
            await self?.clusterHealth() ?? .init(isGood: false, json: "{}")
        }
        admin = try await AdminServer.start(
            listen: configuration[CommonSettings.adminListen], group: MultiThreadedEventLoopGroup(numberOfThreads: 1),
            metrics: foundation.metrics,
            handlers: .init(
                readiness: { [weak self] in await self?.readiness() ?? ["running": false] },
                cluster: foundation.role == .gateway ? cluster : nil),
            logger: foundation.logger)
    }

    /// This process as the manager should know it.
    private func announcement(_ bus: MessageBus, _ keys: CurveKeyPair) -> EnrolRequest {
        let host = configuration[CommonSettings.busAdvertiseHost]
        return EnrolRequest(
            name: foundation.name.rawValue, role: foundation.role, publicKey: keys.publicKey,
            address: AdvertisedAddress.make(bound: bus.address, host: host),
            publisher: AdvertisedAddress.make(bound: bus.publisherAddress, host: host),
            zone: configuration[CommonSettings.zone], version: Version.current)
    }

    private func makeMirror(_ enrolment: EnrolmentResult, _ joining: Joining) throws -> ClusterStateMirror {
        let mirror = ClusterStateMirror(
            file: foundation.directory.path + "/cluster-state", bootstrap: try joining.managers(enrolment),
            addresses: try joining.addresses().named, logger: foundation.logger)
        mirror.onChange { [epoch] view in epoch.value = view.epoch }
        epoch.value = mirror.view.epoch
        directory.set(mirror)
        return mirror
    }

    private func startService(
        _ context: ProcessContext, _ member: EnrolRequest, _ mirror: ClusterStateMirror
    ) async throws {
        let service = try await make(context)
        try await service.start()
        self.service = service
        router.open(CommonCommands(context, service: service), service, bus: context.bus, mirror)
        let heartbeats = Heartbeats(bus: context.bus, cluster: context.cluster, member: member)
        // Managers keep who changes users, keys or buckets waiting until gateways work with the change.
        if foundation.role == .gateway { mirror.onChange { _ in heartbeats.beatSoon() } }
        self.heartbeats = heartbeats.start()
    }

    // MARK: - Health

    private func readiness() async -> [String: Bool] {
        guard let service else { return ["running": false] }
        let checks = await service.readiness()
        return membership?.reason == nil ? checks : checks.merging(["member": false]) { $1 }
    }

    private func clusterHealth() async -> AdminServer.Health {
        guard let bus, let mirror else { return .init(isGood: false, json: "{\"status\":\"starting\"}") }
        return await ClusterProbe(bus: bus, cluster: mirror).run()
    }

    // MARK: - Stop

    func stop() async {
        heartbeats?.cancel()
        membership?.stop()
        let stopping = service
        service = nil
        await stopping?.stop()
        mirror?.stop()
        await bus?.stop()
        await admin?.stop()
    }
}

/// The ring epoch that goes out with every message: read often, on the bus thread.
final class EpochCell: Sendable {
    private let cell = Atomic<UInt64>(0)
    var value: UInt64 {
        get { cell.load(ordering: .relaxed) }
        set { cell.store(newValue, ordering: .relaxed) }
    }
}
