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
    private let adopted: NotedCounter

    private static let patienceMilliseconds = 10_000

    /// - Parameters:
    ///   - ring: the ring in force, which never goes back while the process runs; nil: there is none yet.
    ///   - path: where the adopted epoch is kept.
    init(path: String, ring: @escaping @Sendable () -> RingTable?) throws {
        self.ring = ring
        adopted = try NotedCounter(path: path)
    }

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
            let needed = partition(ring).map { ring.partitions[$0].epoch } ?? ring.epoch
            guard request.epoch >= needed else {
                throw BusError(
                    .staleEpoch, "the replicas changed at epoch \(needed), the request is of \(request.epoch)",
                    epoch: ring.epoch)
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
