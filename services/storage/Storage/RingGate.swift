import MessageBus
import Model
import Ring
import Threads
import Wire

/// Lets in the requests that were planned with the replicas in force, and knows when all older ones are over.
///
/// A request is older when the sets of its partition have changed since its sender's ring. Before the first request is
/// let in by a ring, its epoch is noted durably, apart from the disks and from the mirror of the cluster's state: a node
/// that starts with an older ring serves nobody until it has a newer one. Otherwise a writer that still goes by two
/// sets could undo what was decided by the new one alone.
final class RingGate: Sendable {
    /// By the epoch of the ring by which they were let in.
    private let underWay = Monitor([UInt64: Int]())
    private let ring: @Sendable () -> RingTable?
    private let node: NodeName
    private let leaving: @Sendable () -> Set<UInt32>
    private let adopted: NotedCounter

    private static let patienceMilliseconds = 10_000

    /// - Parameters:
    ///   - ring: the ring in force, which never goes back while the process runs; nil: there is none yet.
    ///   - path: where the adopted epoch is kept.
    ///   - leaving: partitions that the ring took away and of which something is still being dropped: until that is over the
    ///     node cannot hold them again.
    init(
        path: String, node: NodeName, ring: @escaping @Sendable () -> RingTable?,
        leaving: @escaping @Sendable () -> Set<UInt32> = { [] }
    ) throws {
        self.ring = ring
        self.node = node
        self.leaving = leaving
        adopted = try NotedCounter(path: path)
    }

    /// Whether ``admit(_:_:_:)`` has nothing to write before it lets a request in.
    var isNoted: Bool { (ring()?.epoch ?? 0) <= adopted.value }

    /// The responder through which the request must be answered: until then it is under way.
    /// - Parameter partition: the one that it is about; nil: all.
    func admit(
        _ request: IncomingRequest, _ responder: Responder, _ partition: (RingTable) -> Int? = { _ in nil }
    ) throws(BusError) -> Responder {
        // Repair and replicator also ask single nodes for what stands there, whatever the ring says.
        guard request.epoch != 0 else { return responder }
        let epoch = try underWay.withLock { underWay throws(BusError) -> UInt64 in
            guard let ring = ring(), ring.epoch >= max(request.epoch, adopted.value) else {
                throw BusError(.unavailable, "this node could not get the newest ring yet")
            }
            let partition = partition(ring)
            let needed = partition.map { ring.partitions[$0].epoch } ?? ring.epoch
            guard request.epoch >= needed else {
                throw BusError(
                    .staleEpoch, "the replicas changed at epoch \(needed), the request is of \(request.epoch)",
                    epoch: ring.epoch)
            }
            if let partition, leaving().contains(UInt32(partition)) {
                throw BusError(.unavailable, "what this node had of partition \(partition) is still being dropped")
            }
            try note(ring.epoch)
            underWay[ring.epoch, default: 0] += 1
            return ring.epoch
        }
        return Responder { answer in
            self.end(epoch)
            responder.deliver(answer)
        }
    }

    /// Runs something by the ring in force, which is noted durably before. No newer one is adopted until it is over.
    func withAdopted<R>(_ body: (RingTable) throws -> R) throws -> R {
        let table = try underWay.withLock { underWay throws(BusError) -> RingTable in
            guard let table = ring(), table.epoch >= adopted.value else {
                throw BusError(.unavailable, "this node could not get the newest ring yet")
            }
            try note(table.epoch)
            underWay[table.epoch, default: 0] += 1
            return table
        }
        defer { end(table.epoch) }
        return try body(table)
    }

    private func end(_ epoch: UInt64) {
        let isLast = underWay.withLock { underWay in
            underWay[epoch]! -= 1
            guard underWay[epoch] == 0 else { return false }
            underWay[epoch] = nil
            return true
        }
        if isLast { underWay.wake() }
    }

    /// Waits until every request that was let in by an older ring than the one in force is answered, and notes durably
    /// that no older one will be let in again. Blocks. Returns the adopted epoch.
    func adopt(_ epoch: UInt64) throws(BusError) -> UInt64 {
        guard let present = ring()?.epoch, present >= epoch else {
            throw BusError(.unavailable, "this node could not get the ring of epoch \(epoch)")
        }
        let isQuiet = underWay.waiting { underWay, waiter in
            while underWay.pointee.keys.contains(where: { $0 < present }) {
                if !waiter.wait(milliseconds: Self.patienceMilliseconds) { return false }
            }
            return true
        }
        guard isQuiet else { throw BusError(.overloaded, "requests of an older ring are still under way") }
        if let ring = ring(), let partition = leaving().first(where: { ring.holds(Int($0), node) }) {
            throw BusError(.unavailable, "what this node had of partition \(partition) is still being dropped")
        }
        try note(present)
        return present
    }

    /// Writes once for each ring.
    private func note(_ epoch: UInt64) throws(BusError) {
        do {
            try adopted.raise(to: epoch)
        } catch {
            throw BusError(.unavailable, "the epoch of the ring cannot be noted: \(error)")
        }
    }
}

extension RingTable {
    /// Whether the node is a current or next replica of the partition.
    func holds(_ partition: Int, _ node: NodeName) -> Bool {
        partitions.indices.contains(partition) && partitions[partition].nodes.contains(node)
    }
}
