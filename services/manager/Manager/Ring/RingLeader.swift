import ClusterState
import Logging
import MessageBus
import Model
import Observability
import Ring
import Synchronization
import Wire

/// Carries the plan out: asks nodes to adopt epochs, takes what repair proves, and stores each step of `RingChange`.
///
/// Everything that it knows beyond the store is asked again after a restart.
final class RingLeader: Sendable {
    private struct State {
        var change: RingChange?
        var asking: Set<NodeName> = []
        /// Since this manager first saw the plan, also while another one leads.
        var forecast: PlanForecast?
        var task: Task<Void, Never>?
    }

    let cluster: ManagedCluster
    let bus: any RequestSending
    let leadership: Leadership
    let logger: Logger
    /// What the failure detector says of all members.
    let liveness: @Sendable () -> [NodeName: Liveness]
    /// How long a node must have been dead until others get its replicas; nil: that is left to the operator.
    let deadNodeWait: Duration?
    let deadNodesTakenOut: Counter
    private let state = Mutex(State())

    private static let interval = Duration.milliseconds(250)
    /// The part of the ring that moves at a time: one in so many partitions. Requests to these need both sets, and listings
    /// have to read what the new set does not have yet.
    private static let shareMoving = 16
    /// At least, so that plans of small rings end.
    private static let movingMin = 8
    private let origin = ContinuousClock.now

    private static let adoptionTimeout = Duration.seconds(12)

    init(
        cluster: ManagedCluster, bus: any RequestSending, leadership: Leadership, logger: Logger,
        metrics: MetricsRegistry, deadNodeWait: Duration?, liveness: @escaping @Sendable () -> [NodeName: Liveness]
    ) {
        self.cluster = cluster
        self.bus = bus
        self.leadership = leadership
        self.logger = logger
        self.liveness = liveness
        self.deadNodeWait = deadNodeWait
        deadNodesTakenOut = metrics.counter(
            "manager_dead_nodes_taken_out", help: "Nodes that stayed dead and were taken out of the ring.")
    }

    func start() {
        let task = Task { [weak self] in
            while !Task.isCancelled {
                await self?.tick()
                try? await Task.sleep(for: Self.interval)
            }
        }
        state.withLock { $0.task = task }
    }

    func stop() { state.withLock { $0.task }?.cancel() }

    // MARK: - Events

    /// Repair has proved partitions complete.
    func proved(_ request: ReportMovesRequest) {
        state.withLock { state in
            state.forecast?.copied(request.copies)
            for item in request.proved { state.change?.onProved(Int(item.partition), epoch: item.epoch) }
        }
    }

    /// The plan as it stands.
    func report() throws(VerbError) -> RebalanceReport {
        guard let record = cluster.state.ringPlan, let plan = record.plan, let ring = cluster.view.ring else {
            throw VerbError(.notFound, "the ring was never changed by a plan")
        }
        var report = RebalanceReport(record, plan, ring)
        let now = origin.duration(to: .now)
        state.withLock { state in
            if let forecast = state.forecast, forecast.plan == plan.id {
                report.copied = forecast.copied
                if !plan.isOver { report.copiedPerSecond = forecast.copiedPerSecond(now: now) }
                if plan.phase == .running { report.secondsLeft = forecast.secondsLeft(now: now) }
            }
            guard let change = state.change, change.plan.id == plan.id else { return }
            if case .wait(let waiting) = change.next() {
                report.waitingForNodes = waiting.adoption.sorted().map(\.rawValue)
                report.waitingForProof = waiting.proof
            }
        }
        return report
    }

    // MARK: - Steps

    private func tick() async {
        if let plan = cluster.state.ringPlan?.plan { watch(plan) }
        if leadership.isLeader {
            guard await confirmRing() else { return }
            if cluster.state.ringPlan?.plan?.isOver ?? true { await takeOutDeadNodes() }
        }
        let present = cluster.state
        guard leadership.isLeader, let plan = present.ringPlan?.plan, !plan.isOver, let ring = present.view.ring
        else {
            return state.withLock { $0.change = nil }
        }
        let (step, toAsk) = state.withLock { state -> (RingChange.Step, [NodeName]) in
            follow(plan, ring, present.view.consistency, &state)
            let step = state.change!.next()
            let toAsk = state.change!.nodesToAsk.filter { !state.asking.contains($0) }
            state.asking.formUnion(toAsk)
            return (step, toAsk)
        }
        for node in toAsk { Task { await self.ask(node, toAdopt: ring.epoch) } }
        if case .install(let table, let next) = step { await install(table, next, after: plan) }
    }

    /// Every manager does, so that each can tell when the plan ends.
    private func watch(_ plan: RingPlan) {
        let now = origin.duration(to: .now)
        state.withLock { state in
            if state.forecast?.plan != plan.id, !plan.isOver {
                state.forecast = PlanForecast(plan: plan.id, open: plan.open.count, now: now)
            }
            state.forecast?.note(open: plan.open.count, isRunning: plan.phase == .running, now: now)
        }
    }

    private func follow(_ plan: RingPlan, _ ring: RingTable, _ level: ConsistencyLevel, _ state: inout State) {
        if state.change?.plan.id != plan.id {
            state.change = RingChange(
                table: ring, plan: plan, level: level,
                movingMax: max(Self.movingMin, ring.partitionCount / Self.shareMoving))
        } else {
            state.change!.installed(ring, plan)
        }
    }

    private func ask(_ node: NodeName, toAdopt epoch: UInt64) async {
        let reply = try? await bus.request(
            .adoptRing, AdoptRingRequest(epoch: epoch), to: node, timeout: Self.adoptionTimeout,
            answer: AdoptRingReply.self)
        // A node that is out of reach fails at once: it is not asked without pause.
        if reply == nil { try? await Task.sleep(for: .seconds(1)) }
        state.withLock { state in
            state.asking.remove(node)
            if let reply { state.change?.onAdopted(node, epoch: reply.message.epoch) }
        }
    }

    private func install(_ table: RingTable, _ plan: RingPlan, after known: RingPlan) async {
        do {
            let isStored = try await cluster.change { [leadership] state, edit in
                guard var record = state.ringPlan, record.plan == known, state.view.ring?.epoch == table.epoch - 1
                else { return false }
                try leadership.require(&edit)
                let now = wallMilliseconds()
                record.set(plan, now: now)
                edit.put(ClusterKeys.ring, RingRecord(table))
                edit.put(ManagerKeys.ringPlan, record)
                if plan.isOver { Self.settleMembers(state, table, &edit) }
                return true
            }
            guard isStored else { return }
            logger.info(
                "a step of the ring",
                metadata: ["plan": "\(plan.id)", "epoch": "\(table.epoch)", "partitions_left": "\(plan.open.count)"])
            guard plan.isOver else { return }
            logger.notice("the plan is over", metadata: ["plan": "\(plan.id)", "phase": "\(plan.phase)"])
        } catch {
            logger.error("a step of the ring cannot be stored", metadata: ["error": "\(error)"])
        }
    }

    /// Nodes that were detached and hold nothing any more are no members any more.
    private static func settleMembers(_ state: ManagerState, _ table: RingTable, _ edit: inout StateEdit) {
        for member in state.view.members.values
        where member.role == .storage && member.state == .detached && !table.nodes.contains(member.nodeName) {
            MemberRemoval.forget(member, &edit)
        }
    }
}
