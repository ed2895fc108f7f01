import Model
import Register
import TestKit

/// One simulated storage node: the real `RegisterReplica` over a simulated disk, the way a real shell drives it.
final class ReplicaShell {
    typealias Replica = RegisterReplica<Int, SimulatedRecord>

    struct LogEntry {
        var ticket: AppendTicket
        var key: Int
        /// nil: the tombstone with this tag is purged, behind this floor.
        var state: SimulatedState?
        var tag: Ballot
        var floor = PurgeFloor.zero
    }

    let name: NodeName
    let address: Int
    unowned let simulation: RegisterSimulation
    var machine: Replica
    private var held = HeldAnswers<() -> Void>(ceiling: 0)
    var disk = SimulatedDisk<LogEntry>()
    /// Derived from the synced part of the log.
    var index: [Int: SimulatedState] = [:]
    private(set) var unreadable = Set<Int>()
    var storedCeiling: UInt64 = 0
    var storedFloor = PurgeFloor.zero
    private(set) var isUp = true
    private(set) var isWiped = false
    /// Names one loss of memory; 0: it remembers everything.
    var doubt = 0
    /// Got since the loss.
    var taught = Set<Int>()
    /// A counter that it was told will be in use. Kept apart from the disk.
    var noted: UInt64 = 0
    var ceilings: [UInt64] = [0]
    var losses = 0
    private var isSyncing = false
    /// Events of the disk that were under way in an earlier life are void.
    private var life = 0
    /// Blobs that came with a stage and wait for their commit: operations of their writers.
    private var stagedBlobs = Set<Int>()
    var storedBlobs = Set<Int>()

    init(name: NodeName, simulation: RegisterSimulation) {
        self.name = name
        address = Int(name.rawValue.dropFirst("storage-".count))!
        self.simulation = simulation
        machine = Replica(ceiling: 0, ceilingStep: 16, promisesMax: 2)
    }

    // MARK: - Requests

    func stage(_ key: Int, _ ballot: Ballot, blob: Int?, _ reply: @escaping (StageDecision<SimulatedRecord>) -> Void) {
        guard isUp else { return }
        if let blob { stagedBlobs.insert(blob) }
        let decision = machine.stage(key, ballot: ballot, stored: stored(key))
        act(decision, key, early: simulation.has(.answerBeforeSync), reply)
    }

    func propose(
        _ key: Int, _ state: SimulatedState, blob: Int?, _ reply: @escaping (StageDecision<SimulatedRecord>) -> Void
    ) {
        guard isUp else { return }
        if let blob { stagedBlobs.insert(blob) }
        var decision = machine.stage(key, proposing: state, stored: stored(key))
        if simulation.has(.acceptProposalOverState), case .promised = decision.answer {
            let committed = machine.commit(key, state, stored: stored(key))
            decision.answer = .accepted
            decision.after = committed.after
            decision.append = committed.append
        } else if decision.answer == .accepted {
            simulation.purged.noteAccepted(state, of: key)
        }
        act(decision, key, early: simulation.has(.acknowledgeBeforeSync), reply)
    }

    func commit(
        _ key: Int, _ state: SimulatedState, withBlob: Bool,
        _ reply: @escaping (CommitDecision<SimulatedRecord>) -> Void
    ) {
        guard isUp else { return }
        let hasBlobs =
            withBlob || state.record?.value.map { stagedBlobs.contains($0) || storedBlobs.contains($0) } ?? true
        var decision = machine.commit(key, state, stored: stored(key), hasBlobs: hasBlobs)
        if simulation.has(.acceptBelowPromise), case .refused = decision.answer {
            let learned = machine.learn(key, state, stored: stored(key))
            if learned.answer == .learned {
                decision.answer = .accepted
                decision.after = learned.after
                decision.append = learned.append
            }
        }
        act(decision, key, early: simulation.has(.acknowledgeBeforeSync), reply)
    }

    func learn(_ key: Int, _ state: SimulatedState, _ reply: @escaping (LearnDecision<SimulatedRecord>) -> Void) {
        guard isUp else { return }
        act(machine.learn(key, state, stored: stored(key)), key, early: false, reply)
    }

    func read(_ key: Int, _ reply: @escaping (ReadDecision<SimulatedRecord>) -> Void) {
        guard isUp else { return }
        act(machine.read(key, stored: stored(key)), key, early: simulation.has(.answerBeforeSync), reply)
    }

    func stored(_ key: Int) -> DurableState<SimulatedRecord> {
        if isDoubtful(key), !simulation.has(.voteInDoubt) { return .doubtful }
        if unreadable.contains(key) { return simulation.has(.unreadableAsAbsent) ? .absent : .unreadable }
        return index[key].map { .found($0) } ?? .absent
    }

    /// Does all that a decision says.
    func act<Answer>(
        _ decision: ReplicaDecision<SimulatedRecord, Answer>, _ key: Int, early: Bool,
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
        let durability = early ? .nothing : decision.after
        held.hold({ reply(decision) }, until: durability)?()
    }

    // MARK: - Disk

    private func scheduleSync() {
        guard !isSyncing else { return }
        isSyncing = true
        let life = life
        simulation.scheduler.after(simulation.random.number(50..<simulation.syncMax)) { [unowned self] in
            if life == self.life { sync() }
        }
    }

    private func sync() {
        isSyncing = false
        let entries = disk.sync()
        for entry in entries { adopt(entry) }
        for entry in entries {
            machine.synced(entry.ticket)
            for answer in held.synced(entry.ticket) { answer() }
        }
    }

    private func adopt(_ entry: LogEntry) {
        show(entry)
        guard let state = entry.state else { return }
        unreadable.remove(entry.key)
        if doubt != 0 { taught.insert(entry.key) }
        if let blob = state.record?.value { storedBlobs.insert(blob) }
    }

    /// In the index.
    func show(_ entry: LogEntry) {
        storedFloor = storedFloor.joined(with: entry.floor)
        if let state = entry.state {
            if state.tag > index[entry.key]?.tag ?? .zero { index[entry.key] = state }
        } else if let tombstone = index[entry.key], tombstone.tag <= entry.tag {
            drop(tombstone, of: entry.key)
        }
    }

    func drop(_ tombstone: SimulatedState, of key: Int) {
        simulation.purged.note(tombstone, of: key)
        index[key] = nil
    }

    private func scheduleRaise(to counter: UInt64) {
        let life = life
        simulation.scheduler.after(simulation.random.number(50..<simulation.syncMax)) { [unowned self] in
            guard life == self.life else { return }
            storedCeiling = max(storedCeiling, counter)
            ceilings.append(storedCeiling)
            machine.ceilingRaised(to: storedCeiling)
            for answer in held.ceilingRaised(to: storedCeiling) { answer() }
        }
    }

    // MARK: - Faults

    /// Loses memory, held answers, and some of what is not synced; starts again later.
    func crash(downFor microseconds: Int, unreadable key: Int? = nil, keepingUnsynced: Int? = nil) {
        guard isUp else { return }
        life += 1
        (isUp, isSyncing) = (false, false)
        let kept = keepingUnsynced ?? simulation.random.number(0..<disk.unsynced.count + 1)
        for entry in disk.unsynced.prefix(kept) { adopt(entry) }
        disk.crash(keepingUnsynced: kept)
        stagedBlobs = []
        if let key, index[key] != nil {
            index[key] = nil
            unreadable.insert(key)
        }
        simulation.scheduler.after(microseconds) { [unowned self] in start() }
    }

    /// The disk is replaced by an empty one.
    func wipe() {
        disk.wipe()
        (index, unreadable, storedBlobs, storedCeiling, storedFloor, isWiped) = ([:], [], [], 0, .zero, true)
        crash(downFor: 0)
    }

    private func start() {
        isUp = true
        let ceiling = simulation.has(.forgetPromise) ? 0 : storedCeiling
        machine = Replica(
            ceiling: ceiling, hasVote: !isWiped || simulation.has(.countWipedReplica), isDoubtful: doubt != 0,
            floor: storedFloor, ceilingStep: 16, promisesMax: 2)
        held = HeldAnswers(ceiling: ceiling)
    }
}
