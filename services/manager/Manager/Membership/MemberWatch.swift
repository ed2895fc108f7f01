import ClusterState
import FailureDetection
import Logging
import MessageBus
import Model
import Observability
import Synchronization
import Wire

/// Listens to every member's heartbeats, asks those that are silent, and writes what changes because of them.
final class MemberWatch: Sendable {
    static let tickInterval = Duration.milliseconds(250)

    private struct Subscription {
        var publisher: String
        var token: SubscriptionToken
    }

    private struct State {
        var membership: Membership
        var revision: UInt64 = 0
        var subscriptions: [NodeName: Subscription] = [:]
        var ticker: Task<Void, Never>?
    }

    private let cluster: ManagedCluster
    /// This manager, which does not watch itself.
    private let own: NodeName?
    /// nil: there are no others.
    private let leadership: Leadership?
    private let bus: any ClusterBus
    private let asking: MemberAsking
    private let metrics: MembershipMetrics
    private let logger: Logger
    private let state: Mutex<State>
    private let began = ContinuousClock.now
    /// How long an administrator waits for gateways. One that is silent is given up sooner, unless the failure timeout is
    /// longer.
    let verbPatience: Duration

    /// - Parameter leadership: With several managers all watch and the one that leads writes.
    init(
        _ cluster: ManagedCluster, bus: any ClusterBus, timing: DetectorTiming, logger: Logger,
        metrics: MetricsRegistry, own: NodeName? = nil, leadership: Leadership? = nil,
        verbPatience: Duration = .seconds(10)
    ) {
        self.verbPatience = verbPatience
        self.cluster = cluster
        self.own = own
        self.leadership = leadership
        self.bus = bus
        self.logger = logger
        asking = MemberAsking(bus: bus, timeout: timing.delayMax * 2)
        self.metrics = MembershipMetrics(metrics)
        state = Mutex(State(membership: Membership(timing: timing)))
        self.metrics.observe(metrics) { [weak self] in
            self?.liveness ?? [:]
        } states: { [weak cluster] in
            cluster?.view.members.values.map { ($0.role, $0.state) } ?? []
        }
    }

    private var now: Duration { ContinuousClock.now - began }

    /// What is known of every member now.
    var liveness: [NodeName: Liveness] { state.withLock { $0.membership.liveness(at: now) } }

    func start() {
        cluster.onChange { [weak self] state in self?.update(state.view) }
        update(cluster.view)
        let ticker = Task { [weak self] in
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.tickInterval)
                guard let self else { return }
                act(on: state.withLock { $0.membership.tick(at: self.now) })
            }
        }
        state.withLock { $0.ticker = ticker }
    }

    func stop() {
        let tokens = state.withLock { state in
            state.ticker?.cancel()
            defer { state.subscriptions = [:] }
            return state.subscriptions.values.map(\.token)
        }
        for token in tokens { bus.unsubscribe(token) }
    }

    /// Returns when all running gateways but one work with a revision, or after the timeout: then those that do not.
    @discardableResult
    func gatewaysReach(
        _ revision: UInt64, except asker: NodeName? = nil, timeout: Duration
    ) async -> [NodeName] {
        let deadline = now + timeout
        while true {
            let gateways = cluster.view.members.filter { $0.value.role == .gateway && $0.value.state == .running }
            let known = liveness
            let behind = gateways.keys.filter { $0 != asker && known[$0]?.revision ?? 0 < revision }.sorted()
            if behind.isEmpty { return [] }
            guard now < deadline else {
                logger.warning(
                    "gateways are slow to follow the cluster's state",
                    metadata: ["revision": "\(revision)", "gateways": "\(behind)"])
                return behind
            }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    // MARK: - Events

    private func update(_ view: ClusterView) {
        let ringNodes = Set(view.ring?.nodes ?? [])
        let outcome: Membership.Outcome? = state.withLock { state in
            // Changes are told from several threads: an older one may come late.
            guard view.revision >= state.revision else { return nil }
            state.revision = view.revision
            let others = view.members.filter { $0.key != own }
            return state.membership.update(members: others, ringNodes: ringNodes, at: now)
        }
        guard let outcome else { return }
        act(on: outcome)
        subscribe(to: view.members.values.filter { $0.nodeName != own && !$0.publisher.isEmpty })
    }

    private func subscribe(to members: [MemberRecord]) {
        let wanted = Dictionary(members.map { (NodeName($0.name), $0.publisher) }) { first, _ in first }
        let (stale, missing) = state.withLock { state in
            let stale = state.subscriptions.filter { wanted[$0.key] != $0.value.publisher }
            for name in stale.keys { state.subscriptions[name] = nil }
            return (stale.values.map(\.token), wanted.filter { state.subscriptions[$0.key] == nil })
        }
        for token in stale { bus.unsubscribe(token) }
        for (name, publisher) in missing {
            let token = bus.subscribe(to: name, [.heartbeat]) { [weak self] in self?.heard($0) }
            let surplus: SubscriptionToken? = state.withLock { state in
                guard state.subscriptions[name] == nil else { return token }
                state.subscriptions[name] = Subscription(publisher: publisher, token: token)
                return nil
            }
            if let surplus { bus.unsubscribe(surplus) }
        }
    }

    private func heard(_ publication: Publication) {
        // A member speaks for itself only.
        guard let beat = try? Heartbeat(decoding: publication.body), beat.name == publication.sender.rawValue else {
            return
        }
        act(on: state.withLock { $0.membership.heartbeat(beat, sequence: publication.sequence, at: now) })
    }

    private func answered(_ probe: FailureDetector.Probe) {
        act(on: state.withLock { $0.membership.answered(probe, at: now) })
    }

    // MARK: - Actions

    private func act(on outcome: Membership.Outcome) {
        metrics.count(outcome)
        for directive in outcome.news { tell(directive) }
        for probe in outcome.probes {
            asking.ask(probe) { [weak self] in self?.answered(probe) }
        }
        write(outcome.transitions)
    }

    private func tell(_ news: FailureDetector.Directive) {
        switch news {
        case .suspected(let name):
            logger.notice("a member is silent and asked", metadata: ["member": "\(name)"])
        case .refuted(let name): logger.info("a member was only slow", metadata: ["member": "\(name)"])
        case .down(let name):
            logger.warning("a member does not answer, nor does anybody reach it", metadata: ["member": "\(name)"])
        case .up(let name): logger.info("a member is heard", metadata: ["member": "\(name)"])
        case .probe: break
        }
    }

    /// Writes transitions. One that fails is found again with the next heartbeat or tick.
    private func write(_ transitions: [Membership.Transition]) {
        guard !transitions.isEmpty, leadership?.isLeader ?? true else { return }
        Task { [cluster, leadership, logger] in
            do {
                let written = try await cluster.change { state, edit in
                    try leadership?.require(&edit)
                    return transitions.filter { Self.apply($0, state, &edit) }
                }
                for transition in written {
                    logger.notice(
                        "a member changed its state",
                        metadata: ["member": "\(transition.name)", "state": "\(transition.state.word)"])
                }
            } catch let error as VerbError where error.status == .unavailable {
                // Another manager leads now, and sees the same.
            } catch {
                logger.error("cannot write the state of members", metadata: ["error": "\(error)"])
            }
        }
    }

    private static func apply(
        _ transition: Membership.Transition, _ state: ManagerState, _ edit: inout StateEdit
    ) -> Bool {
        guard var member = state.view.members[transition.name], member.state != transition.state else { return false }
        member.state = transition.state
        member.updatedMilliseconds = wallMilliseconds()
        edit.put(ClusterKeys.member(transition.name), member)
        return true
    }
}
