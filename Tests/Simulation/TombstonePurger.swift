import Model
import Register
import TestKit

/// What repair does about tombstones: it asks all replicas of a key, and has a tombstone purged that each of them holds.
final class TombstonePurger {
    private static let address = 91

    private unowned let simulation: RegisterSimulation
    private let client: ClientShell
    private let pause: Range<Int>

    init(simulation: RegisterSimulation, pause: Range<Int>) {
        self.simulation = simulation
        self.pause = pause
        client = ClientShell(writer: UInt64(Self.address), operations: 0, simulation: simulation)
    }

    /// Until everything has healed.
    func start() {
        guard !simulation.isHealed else { return }
        simulation.scheduler.after(simulation.random.number(pause)) { [self] in
            look(simulation.random.number(0..<simulation.keys))
            start()
        }
    }

    /// Nothing is asked while there is no tombstone anywhere: that is most of the time, and nothing would come of it.
    private func look(_ key: Int) {
        guard simulation.replicas.contains(where: { $0.index[key]?.record?.isTombstone == true }) else { return }
        let rule = simulation.rule
        var proof = TombstoneProof(rule, needsAll: !simulation.has(.purgeWithoutProof))
        for node in rule.members {
            _ = client.exchange(node, { $0.tombstone(key, $1) }) { [self] (tag: Ballot?) in
                if let tag, proof.add(tag, of: node) { purge(key, tag) }
            }
        }
    }

    /// It may come late, more than once, and not everywhere.
    private func purge(_ key: Int, _ tag: Ballot) {
        for node in simulation.rule.members {
            let replica = simulation.replica(node)
            _ = simulation.network.send(from: Self.address, to: replica.address) { replica.purge(key, tag) }
        }
    }
}
