import ClusterState
import Dispatch
import Logging
import MessageBus
import Model
import NIOCore
import ObjectAccess
import Observability
import Register
import Ring
import Synchronization
import Wire

/// Storage nodes in memory behind a bus that loses, repeats and reorders messages, by a seed.
///
/// Time is virtual: what waits for time to pass (timers, requests without an answer) runs when nothing else is left.
public final class FakeStorageCluster: RequestSending, ClusterViewing, TimerScheduling {
    public enum Condition: Sendable {
        case up
        /// Refuses connections.
        case down
        /// Takes requests and never answers.
        case silent
    }

    private typealias Action = @Sendable () -> Void

    private struct State {
        var random: SplitMix
        var nodes: [NodeName: FakeStorageNode]
        var conditions: [NodeName: Condition] = [:]
        var lossPerMille = 0
        var ready: [Action] = []
        var later: [(due: Duration, action: Action)] = []
        var now: Duration = .zero
        var isTimePassing = false
        var sent: [MessageType: Int] = [:]
        var refreshes = 0
        /// What clients know, and what nodes go by: clients get that when they ask.
        var view: ClusterView
        var newest: ClusterView
    }

    public let names: [NodeName]
    public var view: ClusterView { state.withLock { $0.view } }
    private let state: Mutex<State>
    private let queue = DispatchQueue(label: "fake bus")

    public init(
        nodes count: Int = 3, consistency: ConsistencyLevel = .majority(of: 3), partitions: Int = 16, seed: UInt64 = 1,
        buckets: [String: BucketID] = [:], owner: String = "",
        documents: [BucketDocument] = []
    ) {
        names = (1...count).map { NodeName("storage-\($0)") }
        let entries = buckets.map { name, id in
            StateEntry(
                key: "buckets/\(name)",
                value: BucketRecord(name: name, id: id.bytes, owner: owner, documents: documents).encoded(), revision: 1
            )
        }
        let view = Self.makeView(names, consistency, partitions).applying(entries, revision: 1)
        state = Mutex(
            State(
                random: SplitMix(state: seed),
                nodes: Dictionary(uniqueKeysWithValues: names.map { ($0, FakeStorageNode()) }), view: view,
                newest: view))
    }

    private static func makeView(_ names: [NodeName], _ level: ConsistencyLevel, _ partitions: Int) -> ClusterView {
        let hashKey = [UInt8](0..<16)
        let replicas = (0..<partitions).map { partition in
            PartitionReplicas(current: (0..<level.replicas).map { names[(partition + $0) % names.count] })
        }
        let ring = RingTable(epoch: 1, hashKey: hashKey, partitions: replicas)!
        let settings = ClusterSettings(
            clusterId: "test", replicas: UInt32(level.replicas), writeQuorum: UInt32(level.write),
            readQuorum: UInt32(level.read), deleteQuorum: UInt32(level.delete), partitions: UInt32(partitions),
            hashKey: hashKey)
        var entries = [
            StateEntry(key: "settings/cluster", value: settings.encoded(), revision: 1),
            StateEntry(key: "ring", value: RingRecord(ring).encoded(), revision: 1),
        ]
        for name in names {
            let member = MemberRecord(name: name.rawValue, role: .storage, state: .running)
            entries.append(StateEntry(key: "members/\(name)", value: member.encoded(), revision: 1))
        }
        return ClusterView(revision: 1, entries: entries)
    }

    // MARK: - What tests set and see

    /// A client over this cluster, with short waits.
    public func makeClient(writer: UInt64 = 1, _ adjust: (inout AccessOptions) -> Void = { _ in }) -> RegisterClient {
        var options = AccessOptions()
        options.hintDelay = .milliseconds(1)
        adjust(&options)
        return RegisterClient(
            bus: self, cluster: self, writer: writer, logger: Logger(label: "test"), metrics: MetricsRegistry(),
            options: options, timers: self)
    }

    public func set(_ node: NodeName, _ condition: Condition) { state.withLock { $0.conditions[node] = condition } }
    public func lose(perMille: Int) { state.withLock { $0.lossPerMille = perMille } }
    public func node(_ name: NodeName) -> FakeStorageNode { state.withLock { $0.nodes[name]! } }
    public func change<Value>(_ name: NodeName, _ body: (inout FakeStorageNode) -> sending Value) -> Value {
        state.withLock { body(&$0.nodes[name]!) }
    }
    /// Messages of this type that were sent so far.
    public func sent(_ type: MessageType) -> Int { state.withLock { $0.sent[type] ?? 0 } }
    public var refreshes: Int { state.withLock { $0.refreshes } }

    public func refresh() async throws {
        state.withLock { state in
            state.refreshes += 1
            state.view = state.newest
        }
    }

    /// Nodes go by this ring from now on and refuse requests of an older one; clients have to ask for it.
    public func install(_ ring: RingTable) {
        state.withLock { state in
            let entry = StateEntry(key: "ring", value: RingRecord(ring).encoded(), revision: ring.epoch)
            state.newest = state.newest.applying([entry], revision: ring.epoch)
        }
    }

    /// The present ring, with these sets for every partition, at the next epoch.
    public func moved(from current: [NodeName], to next: [NodeName] = []) -> RingTable {
        let ring = state.withLock { $0.newest.ring! }
        let replicas = PartitionReplicas(current: current, next: next, epoch: ring.epoch + 1)
        return RingTable(
            epoch: ring.epoch + 1, hashKey: ring.hashKey, partitions: ring.partitions.map { _ in replicas })!
    }

    // MARK: - Bus

    public func send(
        _ type: MessageType, body: [UInt8], payload: [ByteBuffer], to peer: NodeName, timeout: Duration,
        context: MessageContext, completion: @escaping @Sendable (Result<BusReply, BusError>) -> Void
    ) {
        state.withLock { state in
            state.sent[type, default: 0] += 1
            let isLost = state.random.below(1000) < state.lossPerMille
            switch state.conditions[peer] ?? .up {
            case .down: state.ready.append { completion(.failure(BusError(.unreachable, "down"))) }
            case .silent: Self.expire(&state, timeout, completion)
            case .up where isLost: Self.expire(&state, timeout, completion)
            case .up:
                state.ready.append {
                    self.deliver(type, body, payload, peer, context.epoch, timeout, completion)
                }
            }
        }
        pump()
    }

    private static func expire(
        _ state: inout State, _ timeout: Duration,
        _ completion: @escaping @Sendable (Result<BusReply, BusError>) -> Void
    ) {
        state.later.append((state.now + timeout, { completion(.failure(BusError(.deadlineExceeded, "lost"))) }))
    }

    private func deliver(
        _ type: MessageType, _ body: [UInt8], _ payload: [ByteBuffer], _ peer: NodeName, _ epoch: UInt64,
        _ timeout: Duration,
        _ completion: @escaping @Sendable (Result<BusReply, BusError>) -> Void
    ) {
        state.withLock { state in
            let result: Result<BusReply, BusError>
            do {
                let ring = state.newest.ring!
                guard epoch == 0 || epoch >= ring.epoch else { throw FakeStorageNode.Refusal(status: .staleEpoch) }
                let reply = try state.nodes[peer]!.handle(type, body, payload, ring: ring)
                result = .success(
                    BusReply(epoch: 1, body: ByteBuffer(bytes: reply.body), payload: reply.payload, sender: peer))
            } catch let refusal as FakeStorageNode.Refusal {
                result = .failure(BusError(refusal.status, "refused", epoch: 1))
            } catch {
                result = .failure(BusError(.malformed, "\(error)"))
            }
            if state.random.below(1000) < state.lossPerMille {
                Self.expire(&state, timeout, completion)
            } else {
                state.ready.append { completion(result) }
            }
        }
        pump()
    }

    // MARK: - Time

    public func after(_ delay: Duration, _ body: @escaping @Sendable () -> Void) {
        state.withLock { $0.later.append(($0.now + delay, body)) }
        pump()
    }

    /// One call for every action that was added, so that all of them run.
    private func pump() {
        queue.async { self.step() }
    }

    private func step() {
        let action: Action? = state.withLock { state in
            guard !state.ready.isEmpty else { return nil }
            let index = state.random.below(state.ready.count)
            state.ready.swapAt(index, state.ready.count - 1)
            return state.ready.removeLast()
        }
        if let action { action() } else { startTime() }
    }

    private func startTime() {
        let mustStart = state.withLock { state in
            defer { state.isTimePassing = true }
            return !state.isTimePassing
        }
        if mustStart { wait() }
    }

    /// Leaves those who were just resumed the time to send; correctness does not depend on it.
    private func wait() {
        queue.asyncAfter(deadline: .now() + .milliseconds(1)) { self.letTimePass() }
    }

    private func letTimePass() {
        let action: Action? = state.withLock { state in
            guard state.ready.isEmpty,
                let next = state.later.indices.min(by: { state.later[$0].due < state.later[$1].due })
            else {
                state.isTimePassing = !state.later.isEmpty
                return nil
            }
            let (due, action) = state.later.remove(at: next)
            state.now = max(state.now, due)
            return action
        }
        action?()
        if state.withLock({ $0.isTimePassing }) { wait() }
    }
}

/// SplitMix64: small, seeded, good enough for faults.
public struct SplitMix: RandomNumberGenerator, Sendable {
    public var state: UInt64

    public init(state: UInt64) { self.state = state }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}

/// Waits until a background effect has shown, without a fixed sleep; false after five seconds.
public func eventually(_ condition: @Sendable () -> Bool) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(5)
    while .now < deadline {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return condition()
}
