import Model
import Register
import Ring
import TestKit

/// Purges tombstones that all replicas of the partition hold, while its replicas do not change.
final class RingPurger {
    private static let address = 91

    private unowned let simulation: RingChangeSimulation
    private let client: RingClient
    private let pause: Range<Int>

    init(simulation: RingChangeSimulation, pause: Range<Int>) {
        self.simulation = simulation
        self.pause = pause
        client = RingClient(writer: UInt64(Self.address), operations: 0, simulation: simulation)
    }

    /// Until everything has healed.
    func start() {
        guard !simulation.isHealed else { return }
        simulation.scheduler.after(simulation.random.number(pause)) { [self] in
            let key = simulation.random.number(0..<simulation.keys)
            // Nothing is asked while there is no tombstone anywhere: that is most of the time, and nothing would come of it.
            if simulation.replicas.contains(where: { $0.index[key]?.record?.isTombstone == true }) {
                // It may know an older ring than there is.
                if simulation.random.chance(0.7) { client.refresh {} }
                look(key)
            }
            start()
        }
    }

    private func look(_ key: Int) {
        let (epoch, replicas) = (client.table.epoch, client.table.partitions[0])
        guard replicas.next.isEmpty else { return }
        let rule = QuorumRule(sets: [replicas.current], level: simulation.level)
        var proof = TombstoneProof(rule, needsAll: !simulation.has(.purgeWithoutProof))
        for node in replicas.current {
            _ = client.exchange(node, { $0.tombstone(key, $1) }) { [self] (tag: Ballot?) in
                guard let tag, proof.add(tag, of: node) else { return }
                for node in replicas.current { purge(epoch, key, tag, at: node) }
            }
        }
    }

    private func purge(_ epoch: UInt64, _ key: Int, _ tag: Ballot, at node: NodeName) {
        let replica = simulation.replica(node)
        _ = simulation.network.send(from: Self.address, to: replica.address) { replica.purge(epoch, key, tag) }
    }
}
