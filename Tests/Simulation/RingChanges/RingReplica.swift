import Model
import Register
import TestKit

enum RingAnswer<Value> {
    /// The replica works by a newer ring.
    case outdated(UInt64)
    case value(Value)
}

/// One simulated storage node that knows of ring changes: the real `RegisterReplica` behind the gate of epochs.
final class RingReplica {
    typealias Replica = RegisterReplica<Int, SimulatedRecord>

    private struct LogEntry {
        var ticket: AppendTicket
        var key: Int
        /// nil: the tombstone with this tag is purged, behind this floor.
        var state: SimulatedState?
        var tag: Ballot
        var floor = PurgeFloor.zero
    }

    let name: NodeName
    let address: Int
    unowned let simulation: RingChangeSimulation
    private var machine: Replica
    private var held = HeldAnswers<() -> Void>(ceiling: 0)
    private var disk = SimulatedDisk<LogEntry>()
    private(set) var index: [Int: SimulatedState] = [:]
    private var storedCeiling: UInt64 = 0
    private(set) var storedFloor = PurgeFloor.zero
    private(set) var isUp = true
    /// Its disk was replaced: it has no vote until a plan takes it in as a new replica.
    private(set) var isWiped = false
    private var wipedAt: UInt64 = 0
    /// The ring that it works by, and the one that it has promised to.
    private var epoch: UInt64 = 0
    private var adopted: UInt64 = 0
    /// Adoptions wait until all that was let in before is in the index.
    private var adoptions: [() -> Void] = []
    private var isSyncing = false
    private var life = 0

    init(name: NodeName, simulation: RingChangeSimulation) {
        self.name = name
        self.simulation = simulation
        address = Int(name.rawValue.dropFirst("storage-".count))!
        machine = Replica(ceiling: 0, ceilingStep: 16, promisesMax: 2)
    }

    // MARK: - Requests

    func stage(
        _ epoch: UInt64, _ key: Int, _ ballot: Ballot,
        _ reply: @escaping (RingAnswer<StageDecision<SimulatedRecord>>) -> Void
    ) {
        guard admits(epoch, reply) else { return }
        act(machine.stage(key, ballot: ballot, stored: stored(key)), key) { reply(.value($0)) }
    }

    func propose(
        _ epoch: UInt64, _ key: Int, _ state: SimulatedState,
        _ reply: @escaping (RingAnswer<StageDecision<SimulatedRecord>>) -> Void
    ) {
        guard admits(epoch, reply) else { return }
        let decision = machine.stage(key, proposing: state, stored: stored(key))
        if decision.answer == .accepted { simulation.purged.noteAccepted(state, of: key) }
        act(decision, key) { reply(.value($0)) }
    }

    func commit(
        _ epoch: UInt64, _ key: Int, _ state: SimulatedState,
        _ reply: @escaping (RingAnswer<CommitDecision<SimulatedRecord>>) -> Void
    ) {
        guard admits(epoch, reply) else { return }
        act(machine.commit(key, state, stored: stored(key)), key) { reply(.value($0)) }
    }

    func read(
        _ epoch: UInt64, _ key: Int, _ reply: @escaping (RingAnswer<ReadDecision<SimulatedRecord>>) -> Void
    ) {
        guard admits(epoch, reply) else { return }
        act(machine.read(key, stored: stored(key)), key) { reply(.value($0)) }
    }

    /// A decided state: of whatever ring.
    func learn(_ key: Int, _ state: SimulatedState, _ reply: @escaping (LearnAnswer) -> Void) {
        guard isUp else { return }
        act(machine.learn(key, state, stored: stored(key)), key) { reply($0.answer) }
    }

    struct Adoption {
        var epoch: UInt64
        /// What it has purged by older rings.
        var floor: PurgeFloor
    }

    func adopt(_ epoch: UInt64, _ reply: @escaping (Adoption) -> Void) {
        guard isUp else { return }
        note(epoch)
        joinIfNew()
        let adoption = Adoption(epoch: self.epoch, floor: machine.floor)
        if disk.unsynced.isEmpty { reply(adoption) } else { adoptions.append { reply(adoption) } }
    }

    /// What is in the index. nil: it cannot tell.
    func list(_ reply: @escaping ([Int: SimulatedState]?) -> Void) {
        if isUp { reply(isWiped ? nil : index) }
    }

    // MARK: - Purging

    /// The tag of the tombstone that it durably holds; nil: something else, or it cannot tell.
    func tombstone(_ key: Int, _ reply: @escaping (Ballot?) -> Void) {
        guard isUp else { return }
        reply(!isWiped && index[key]?.record?.isTombstone == true ? index[key]?.tag : nil)
    }

    /// Not by a ring that is older than its own: then the tombstone was looked for at other replicas than there are now.
    func purge(_ epoch: UInt64, _ key: Int, _ tag: Ballot) {
        guard isUp, epoch >= self.epoch || simulation.has(.acceptOldEpoch) else { return }
        note(epoch)
        guard simulation.has(.purgeWithoutFloor) else {
            return act(machine.purge(key, tag: tag, stored: stored(key)), key) { _ in }
        }
        if let tombstone = index[key], tombstone.tag == tag { drop(tombstone, of: key) }
    }

    /// Durable at once.
    func raiseFloor(to floor: PurgeFloor, _ reply: @escaping (Bool) -> Void) {
        guard isUp else { return }
        machine.raiseFloor(to: floor)
        storedFloor = storedFloor.joined(with: floor)
        reply(true)
    }

    // MARK: - Ring

    private func admits<Answer>(_ epoch: UInt64, _ reply: (RingAnswer<Answer>) -> Void) -> Bool {
        guard isUp else { return false }
        if epoch < self.epoch, !simulation.has(.acceptOldEpoch) {
            reply(.outdated(self.epoch))
            return false
        }
        note(epoch)
        return true
    }

    /// From now on it serves nothing older, also after a crash: or a writer that goes by both sets could undo what was
    /// decided by the new one alone.
    private func note(_ epoch: UInt64) {
        self.epoch = max(self.epoch, epoch)
        if !simulation.has(.forgetAdoption) { adopted = self.epoch }
    }

    private func stored(_ key: Int) -> DurableState<SimulatedRecord> { index[key].map { .found($0) } ?? .absent }

    private func act<Answer>(
        _ decision: ReplicaDecision<SimulatedRecord, Answer>, _ key: Int,
        _ reply: @escaping (ReplicaDecision<SimulatedRecord, Answer>) -> Void
    ) {
        if let append = decision.append {
            disk.append(LogEntry(ticket: append.ticket, key: key, state: append.state, tag: append.state.tag))
            scheduleSync()
        }
        if let purge = decision.purge {
            disk.append(LogEntry(ticket: purge.ticket, key: key, state: nil, tag: purge.tag, floor: purge.floor))
            scheduleSync()
        }
        if let ceiling = decision.raiseCeiling { scheduleRaise(to: ceiling) }
        held.hold({ reply(decision) }, until: decision.after)?()
    }

    // MARK: - Disk

    private func later(_ action: @escaping () -> Void) {
        let life = life
        simulation.scheduler.after(simulation.random.number(50..<simulation.syncMax)) { [unowned self] in
            if life == self.life { action() }
        }
    }

    private func scheduleSync() {
        guard !isSyncing else { return }
        isSyncing = true
        later { [unowned self] in sync() }
    }

    private func sync() {
        isSyncing = false
        let entries = disk.sync()
        for entry in entries { show(entry) }
        for entry in entries {
            machine.synced(entry.ticket)
            for answer in held.synced(entry.ticket) { answer() }
        }
        let waiting = adoptions
        adoptions = []
        for answer in waiting { answer() }
    }

    private func show(_ entry: LogEntry) {
        storedFloor = storedFloor.joined(with: entry.floor)
        if let state = entry.state {
            if state.tag > index[entry.key]?.tag ?? .zero { index[entry.key] = state }
        } else if let tombstone = index[entry.key], tombstone.tag <= entry.tag {
            drop(tombstone, of: entry.key)
        }
    }

    private func drop(_ tombstone: SimulatedState, of key: Int) {
        simulation.purged.note(tombstone, of: key)
        index[key] = nil
    }

    private func scheduleRaise(to counter: UInt64) {
        later { [unowned self] in
            storedCeiling = max(storedCeiling, counter)
            machine.ceilingRaised(to: storedCeiling)
            for answer in held.ceilingRaised(to: storedCeiling) { answer() }
        }
    }

    // MARK: - Faults

    func crash(downFor microseconds: Int) {
        guard isUp else { return }
        life += 1
        (isUp, isSyncing, adoptions) = (false, false, [])
        let kept = simulation.random.number(0..<disk.unsynced.count + 1)
        for entry in disk.unsynced.prefix(kept) { show(entry) }
        disk.crash(keepingUnsynced: kept)
        simulation.scheduler.after(microseconds) { [unowned self] in start() }
    }

    /// The disk is replaced by an empty one.
    func wipe() {
        disk.wipe()
        (index, storedCeiling, storedFloor, isWiped) = ([:], 0, .zero, true)
        (wipedAt, adopted) = (simulation.table.epoch, 0)
        crash(downFor: 0)
    }

    private func start() {
        isUp = true
        epoch = adopted
        machine = Replica(
            ceiling: storedCeiling, hasVote: !isWiped, floor: storedFloor, ceilingStep: 16, promisesMax: 2)
        held = HeldAnswers(ceiling: storedCeiling)
    }

    /// A replica of the new set alone that was empty before the plan began counts from now on.
    private func joinIfNew() {
        let replicas = simulation.table.partitions[0]
        guard isWiped, wipedAt < replicas.epoch, replicas.next.contains(name), !replicas.current.contains(name)
        else { return }
        isWiped = false
        machine.hasVote = true
    }
}
