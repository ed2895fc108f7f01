import Model
import Ring
import TestKit

/// The manager: makes plans and leads them with the real `RingChange`. It dies now and then, and goes on from the store.
final class RingManager {
    private static let address = 80

    private unowned let simulation: RingChangeSimulation
    private var change: RingChange?
    private var plansLeft: Int
    private var plans: UInt64 = 0
    private var life = 0

    init(simulation: RingChangeSimulation) {
        self.simulation = simulation
        plansLeft = simulation.loneRecord == nil ? simulation.random.number(1..<4) : 2
    }

    var isIdle: Bool { plansLeft == 0 && simulation.plan.map(\.isOver) ?? true }

    func start() { again(after: simulation.random.number(0..<20_000)) }

    func crash() {
        life += 1
        change = nil
        again(after: 5_000)
    }

    /// Takes back what does not get on: a replica without a vote is wanted in the new set.
    func giveUp() {
        plansLeft = 0
        rollBack()
    }

    private func rollBack() {
        guard var plan = simulation.plan, !plan.isOver else { return }
        plan.rollBack(simulation.table)
        simulation.plan = plan
        change?.installed(simulation.table, plan)
    }

    private func again(after microseconds: Int) {
        let life = life
        simulation.scheduler.after(microseconds) { [self] in
            guard life == self.life, !isIdle else { return }
            tick()
            again(after: simulation.random.number(500..<4_000))
        }
    }

    private func tick() {
        if simulation.plan.map(\.isOver) ?? true { return beginPlan() }
        if simulation.random.chance(0.01) { rollBack() }
        if change == nil {
            change = RingChange(table: simulation.table, plan: simulation.plan!, level: simulation.level)
        }
        askForAdoption()
        if case .install(let table, let plan)? = change?.next() {
            install(table, plan)
        } else if simulation.has(.finalTooEarly) {
            finish()
        } else if simulation.has(.countIncomplete) {
            change?.onProved(0, epoch: simulation.table.partitions[0].epoch)
        }
    }

    private func beginPlan() {
        guard simulation.loneRecord?.isLeft ?? true else { return }
        plansLeft -= 1
        plans += 1
        guard let wanted = target() else { return }
        simulation.plan = RingPlan(
            id: plans, phase: .running, open: [0: wanted], partitionsTotal: 1, movesTotal: wanted.count)
        change = nil
    }

    /// Any set but the present one, mostly of three. Who has lost its disk may come back only as a new replica.
    private func target() -> [NodeName]? {
        if let wanted = simulation.loneRecord?.target(ofPlan: plans) { return wanted }
        let current = Set(simulation.table.partitions[0].current)
        let names = simulation.replicas.filter { !$0.isWiped || !current.contains($0.name) }.map(\.name)
        var left = names
        var wanted: [NodeName] = []
        for _ in 0..<simulation.random.pick([3, 3, 3, 3, 1, 5]) where !left.isEmpty {
            wanted.append(left.remove(at: simulation.random.number(0..<left.count)))
        }
        return Set(wanted) == current ? nil : wanted
    }

    private func askForAdoption() {
        guard let change else { return }
        let (life, epoch) = (life, simulation.table.epoch)
        for node in change.nodesToAsk {
            let replica = simulation.replica(node)
            simulation.network.send(from: Self.address, to: replica.address) { [self] in
                replica.adopt(epoch) { adoption in
                    self.simulation.network.send(from: replica.address, to: Self.address) { [self] in
                        if life == self.life { self.change?.onAdopted(node, epoch: adoption.epoch) }
                    }
                }
            }
        }
    }

    /// Repair reports.
    func proved(epoch: UInt64) { change?.onProved(0, epoch: epoch) }

    private func install(_ table: RingTable, _ plan: RingPlan) {
        simulation.table = table
        simulation.plan = plan
        change?.installed(table, plan)
    }

    /// Planted: the step to the new set, whoever has adopted what.
    private func finish() {
        let (table, replicas) = (simulation.table, simulation.table.partitions[0])
        guard !replicas.next.isEmpty, change?.plan.phase == .running, simulation.random.chance(0.3) else { return }
        let final = PartitionReplicas(current: replicas.next, epoch: table.epoch + 1)
        let next = RingTable(epoch: table.epoch + 1, hashKey: table.hashKey, partitions: [final])!
        install(next, RingPlan(id: plans, phase: .done, open: [:], partitionsTotal: 1, movesTotal: 1))
    }
}
