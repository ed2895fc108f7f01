import Model
import Register
import TestKit

extension ReplicaShell {
    /// What a replica tells of its memory.
    struct Memory {
        /// 0: it remembers everything.
        var doubt: Int
        /// Nothing that it has forgotten is above; nil: nobody knows.
        var bound: UInt64?
        /// The highest counter that it has promised up to, or knows to be in use.
        var ceiling: UInt64
        var floor: PurgeFloor
    }

    var isInDoubt: Bool { doubt != 0 }

    func isDoubtful(_ key: Int) -> Bool { isInDoubt && !taught.contains(key) }

    /// Some of its records are lost, the newest among them, perhaps all, and perhaps its last ceilings. It knows that much,
    /// but not which keys they were of.
    func loseMemory() {
        guard isUp else { return }
        let survival = simulation.random.pick([0, 0.3, 0.7])
        storedCeiling = simulation.random.pick([0, storedCeiling, simulation.random.pick(ceilings)])
        crash(downFor: simulation.random.number(0..<5_000), keepingUnsynced: 0)
        let newest = disk.synced.count - 1
        disk.lose { $0 == newest || !simulation.random.chance(survival) }
        losses += 1
        (doubt, index, taught, storedFloor) = (losses, [:], [], .zero)
        for entry in disk.synced { show(entry) }
    }

    func memory(_ reply: @escaping (Memory) -> Void) {
        guard isUp else { return }
        var bound: UInt64?
        if case .bounded(let counter) = machine.doubt { bound = counter }
        reply(Memory(doubt: doubt, bound: bound, ceiling: max(storedCeiling, noted), floor: machine.floor))
    }

    func note(_ counter: UInt64, _ reply: @escaping (Bool) -> Void) {
        guard isUp else { return }
        noted = max(noted, counter)
        reply(true)
    }

    /// `doubt`: nothing that was forgotten by this loss is above the counter.
    func fence(_ counter: UInt64, doubt: Int?, _ reply: @escaping (FenceDecision<SimulatedRecord>) -> Void) {
        guard isUp else { return }
        act(machine.fence(to: counter, isBound: isInDoubt && doubt == self.doubt), 0, early: false, reply)
    }

    /// All keys that it has, with their states, and whether they are doubtful.
    func list(_ reply: @escaping ([Int: (state: SimulatedState, isDoubtful: Bool)]) -> Void) {
        guard isUp else { return }
        var entries: [Int: (state: SimulatedState, isDoubtful: Bool)] = [:]
        for (key, state) in index { entries[key] = (state, isDoubtful(key)) }
        reply(entries)
    }

    func trust(_ doubt: Int, bound: UInt64, _ reply: @escaping (Bool) -> Void) {
        guard isUp else { return }
        guard doubt == self.doubt, isInDoubt, storedCeiling >= bound else { return reply(false) }
        self.doubt = 0
        machine.trust()
        reply(true)
    }

    /// Somebody brings the content that a state refers to.
    func storeBlob(of state: SimulatedState) {
        if let blob = state.record?.value { storedBlobs.insert(blob) }
    }

    /// Planted: takes a state as if it were above everything that was forgotten.
    func believe(_ key: Int, _ state: SimulatedState, _ reply: @escaping (Bool) -> Void) {
        guard isUp else { return }
        if state.tag > index[key]?.tag ?? .zero { index[key] = state }
        taught.insert(key)
        storeBlob(of: state)
        reply(true)
    }
}
