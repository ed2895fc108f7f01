import Logging
import MetadataIndex
import Synchronization
import Threads

/// Brings the slots of a node to the disks on which they should be, some at a time, on a thread of its own; drops what
/// disks still have of slots that are others'; retires disks that are empty. Nothing but disks.json has to survive a crash:
/// what there is to do follows from it.
final class SlotMover: Sendable {
    /// Of one move: what a crash or a failure makes it begin again.
    private static let slotsPerMove = 8
    /// After each thousand entries that are taken out of an index.
    private static let restMilliseconds = 2

    enum Activity: String, Sendable { case idling, moving, cleaning, waiting }

    struct Status: Sendable {
        var activity = Activity.idling
        var from: String?
        var to: String?
        /// Since the start of the process.
        var movedBytes: UInt64 = 0
        var movedSlots = 0
        var unreadable = 0
        /// Why it waits.
        var failure: String?
    }

    private struct State: ThreadedState {
        var isStopping = false
        var isAwake = false
        var thread: BlockingThread?
    }

    private let set: DiskSet
    private let logger: Logger
    /// Bytes a second; 0: as fast as it goes.
    private let rate: Int
    /// Whether it goes on when disks.json cannot be written, until it can.
    private let insists: Bool
    private let state = Monitor(State())
    private let progress = Mutex(Status())

    init(set: DiskSet, rate: Int, insists: Bool, logger: Logger) {
        self.insists = insists
        self.set = set
        self.rate = rate
        self.logger = logger
    }

    var status: Status { progress.withLock { $0 } }

    func start() { state.launch(name: "disk-move") { self.run() } }

    /// There may be something to do.
    func wake() {
        state.withLock { $0.isAwake = true }
        state.wake()
    }

    func stop() { state.stop() }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Waits until it is woken or the time is over; false: it is to end.
    private func wait(milliseconds: Int) -> Bool {
        state.waiting { state, waiter in
            while !state.pointee.isStopping, !state.pointee.isAwake {
                guard waiter.wait(milliseconds: milliseconds) else { break }
            }
            state.pointee.isAwake = false
            return !state.pointee.isStopping
        }
    }

    private func run() {
        while !isStopping {
            do {
                if try step() { continue }
                progress.withLock { $0.activity = .idling }
                guard wait(milliseconds: 1000) else { return }
            } catch is Stopped {
                return
            } catch {
                logger.error("slots cannot be moved now", metadata: ["error": "\(error)"])
                progress.withLock {
                    $0.activity = .waiting
                    $0.failure = "\(error)"
                }
                guard wait(milliseconds: 10_000) else { return }
            }
        }
    }

    // MARK: - One step

    private struct Stopped: Error {}

    /// Does the next thing there is to do; false: there is none. Blocks.
    func step() throws -> Bool {
        if try clean() { return true }
        if try retire() { return true }
        guard let next = nextMove() else { return false }
        progress.withLock {
            $0.activity = .moving
            $0.from = next.from.slot.path
            $0.to = next.to.slot.path
            $0.failure = nil
        }
        let unreadable = try next.run()
        progress.withLock {
            $0.movedSlots += next.slots.slots.count
            $0.unreadable += unreadable
        }
        logger.notice(
            "slots moved",
            metadata: [
                "from": "\(next.from.slot.path)", "to": "\(next.to.slot.path)", "slots": "\(next.slots.slots.count)",
                "unreadable": "\(unreadable)",
            ])
        return true
    }

    /// Between some entries and the next ones, so that requests come first; false: it is to end.
    private func rest() -> Bool {
        state.waiting { state, waiter in
            if !state.pointee.isStopping { _ = waiter.wait(milliseconds: Self.restMilliseconds) }
            return !state.pointee.isStopping
        }
    }

    private func nextMove() -> SlotMove? {
        let (table, routing) = (set.table, set.routing)
        let wanted = table.placement
        for slot in table.slots.indices where wanted[slot] != table.slots[slot] {
            let (from, to) = (table.slots[slot], wanted[slot])
            guard let source = routing.disk(from), let target = routing.disk(to),
                case .success(let reading) = source.replica, case .success(let writing) = target.replica,
                writing.failure == nil
            else { continue }
            let slots = table.slots.indices.filter { table.slots[$0] == from && wanted[$0] == to }
            return SlotMove(
                set: set, slots: SlotSet(slots.prefix(Self.slotsPerMove)), from: (source, reading),
                to: (target, writing), pace: { try self.pace($0) },
                awaitRetry: { self.insists && self.wait(milliseconds: 1000) })
        }
        return nil
    }

    private func pace(_ bytes: Int) throws {
        progress.withLock { $0.movedBytes += UInt64(bytes) }
        guard !isStopping else { throw Stopped() }
        guard rate > 0 else { return }
        let end = ContinuousClock.now + .seconds(Double(bytes) / Double(rate))
        try state.waiting { state, waiter in
            while !state.pointee.isStopping, ContinuousClock.now < end {
                _ = waiter.wait(milliseconds: max(1, Int((end - .now) / .milliseconds(1))))
            }
            if state.pointee.isStopping { throw Stopped() }
        }
    }

    // MARK: - What is left behind

    /// Drops what a disk has of slots that are not its own, and of partitions that are no longer the node's. One that is being emptied keeps it: all of it goes.
    private func clean() throws -> Bool {
        let table = set.table
        for entry in table.disks where entry.standing == .serving {
            guard case .success(let replica)? = set.routing.disk(entry.number)?.replica, replica.failure == nil else {
                continue
            }
            let remnants = SlotSet(table.remnants(of: entry.number))
            guard !remnants.isEmpty || replica.index.hasLeft else { continue }
            progress.withLock { $0.activity = .cleaning }
            if !remnants.isEmpty { try replica.leave(remnants) }
            try replica.forgetLeft { rest() }
            guard !isStopping else { throw Stopped() }
            try set.change { $0.removeRemnant(remnants.slots, of: entry.number) }
            return true
        }
        return false
    }

    /// A drained disk that has nothing any more is closed.
    private func retire() throws -> Bool {
        let table = set.table
        for entry in table.disks where entry.standing == .draining && table.slots(of: entry.number).isEmpty {
            guard let disk = set.routing.disk(entry.number), case .success(let replica) = disk.replica else { continue }
            try copyHints(from: replica)
            try set.change { table in
                table.setStanding(.retired, of: entry.number)
                table.removeRemnant(0..<DiskTable.slotCount, of: entry.number)
            }
            disk.takeReplica(entering: .retired)?.stop()
            logger.notice("a disk is empty and was retired: it may be taken out", metadata: ["disk": "\(disk.path)"])
            return true
        }
        return false
    }

    /// A crash may make some of them twice: their delivery changes nothing the second time.
    private func copyHints(from replica: DiskReplica) throws {
        var cursor: UInt64 = 0
        while true {
            let page = try replica.index.hints(after: cursor, limit: 1000)
            guard let last = page.last else { return }
            guard let target = set.hintDisk(besides: replica) else {
                throw StorageError.unavailable("no other disk takes the hints")
            }
            try awaitAnswer { target.noteHints(page.map(\.hint), $0) }
            cursor = last.id
        }
    }
}

extension DiskSet {
    /// Where new hints go: the first disk that takes writes and stays.
    func hintDisk(besides excluded: DiskReplica? = nil) -> DiskReplica? {
        let (table, routing) = (table, routing)
        for entry in table.disks where entry.standing == .serving {
            if case .success(let replica)? = routing.disk(entry.number)?.replica, replica !== excluded,
                replica.failure == nil
            {
                return replica
            }
        }
        return nil
    }
}
