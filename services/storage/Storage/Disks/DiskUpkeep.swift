import Logging
import MetadataIndex
import ObjectLog
import Synchronization
import Threads

/// Opens disks that are not in service: at the start, again when they failed to open, and with a new index when theirs
/// turned out to be damaged. Each on a thread of its own, so that a disk that takes long holds up nobody.
///
/// A disk whose write or sync failed is not opened again: the system may show as written what never reached it. That ends
/// with a restart of the process, which recovers from the log.
final class DiskUpkeep: Sendable {
    private static let firstDelay = Duration.seconds(2)
    private static let longestDelay = Duration.seconds(60)

    private struct Attempt {
        var next: ContinuousClock.Instant
        var delay: Duration
    }

    private struct State {
        var isStopping = false
        var attempts: [Int: Attempt] = [:]
        var threads: [BlockingThread] = []
        var running = 0
    }

    private let set: DiskSet
    private let opener: DiskOpener
    private let mover: SlotMover
    private let logger: Logger
    private let state = Monitor(State())

    init(set: DiskSet, opener: DiskOpener, mover: SlotMover, logger: Logger) {
        self.set = set
        self.opener = opener
        self.mover = mover
        self.logger = logger
    }

    // MARK: - Start and end

    /// Opens all disks at once. Blocks until each is in service or has failed.
    func openAll() throws {
        let table = set.table
        let results = Monitor<[(disk: DiskSlot, result: Result<DiskReplica, any Error>)]>([])
        var threads: [BlockingThread] = []
        for disk in set.disks {
            guard let entry = table.disk(disk.number), entry.standing != .retired else {
                disk.enter(.retired)
                continue
            }
            threads.append(
                BlockingThread(name: "disk-open") { [opener] in
                    let result = Result { try opener.open(entry, slots: SlotSet(table.slots(of: entry.number))) }
                    results.withLock { $0.append((disk, result)) }
                })
        }
        for thread in threads { thread.join() }
        try putInService(results.withLock { $0 })
    }

    private func putInService(_ results: [(disk: DiskSlot, result: Result<DiskReplica, any Error>)]) throws {
        let opened = results.compactMap { disk, result in (try? result.get()).map { (disk, $0) } }
        do {
            for case (let disk, .failure(let error)) in results {
                if let error = error as? ObjectLogError, error.isSomebodyElses { throw error }
                fail(disk, error)
            }
            // Before any of them answers anybody.
            try set.change { table in
                for (disk, replica) in opened { table.noteService(of: disk.number, id: replica.id) }
            }
        } catch {
            for (_, replica) in opened { replica.stop() }
            throw error
        }
        for (disk, replica) in opened { disk.enter(.running(replica)) }
    }

    func stop() {
        let threads = state.withLock { state in
            state.isStopping = true
            defer { state.threads = [] }
            return state.threads
        }
        state.wake()
        for thread in threads { thread.join() }
    }

    // MARK: - While the node serves

    /// Looks for disks that can be helped. Does not block.
    func check() {
        for disk in set.disks {
            if let replica = try? disk.replica.get(), replica.isIndexDamaged {
                logger.critical(
                    "the index of a disk is damaged and is rebuilt from its log", metadata: ["disk": "\(disk.path)"])
                renew(disk, replica, rebuildingIndex: true)
            } else if let replica = try? disk.replica.get(), replica.canIndexRecover {
                logger.notice("there is room for the index of a disk again", metadata: ["disk": "\(disk.path)"])
                renew(disk, replica, rebuildingIndex: false)
            } else if disk.isFailed, isDue(disk) {
                run(disk) { try self.reopen(disk, rebuildingIndex: false) }
            }
        }
        let isIdle = state.withLock { $0.running == 0 }
        if isIdle { settle() }
    }

    /// Waits for the disks that are being opened. Blocks.
    func settle() {
        let threads = state.withLock { state in
            defer { state.threads = [] }
            return state.threads
        }
        for thread in threads { thread.join() }
    }

    /// Opens a disk that is not in service, and makes it serve. Blocks.
    func reopen(_ disk: DiskSlot, rebuildingIndex: Bool = false) throws {
        let table = set.table
        guard let entry = table.disk(disk.number) else { return disk.enter(.retired) }
        disk.enter(rebuildingIndex ? .rebuilding : .opening)
        do {
            let replica = try opener.open(
                entry, slots: SlotSet(table.slots(of: disk.number)), rebuildingIndex: rebuildingIndex)
            do { try set.change { $0.noteService(of: disk.number, id: replica.id) } } catch {
                replica.stop()
                throw error
            }
            set.putInService(disk, replica)
            state.withLock { $0.attempts[disk.number] = nil }
            logger.notice("a disk is in service again", metadata: ["disk": "\(disk.path)"])
            mover.wake()
        } catch {
            fail(disk, error)
            throw error
        }
    }

    /// Closes a disk and opens it again.
    private func renew(_ disk: DiskSlot, _ replica: DiskReplica, rebuildingIndex: Bool) {
        guard disk.takeReplica(entering: rebuildingIndex ? .rebuilding : .opening) != nil else { return }
        let closed = Closing(replica)
        run(disk) {
            closed.stop()
            guard self.wait(until: { closed.isClosed }) else {
                return disk.enter(.failed(.unavailable("the index is still in use")))
            }
            try self.reopen(disk, rebuildingIndex: rebuildingIndex)
        }
    }

    /// Requests that began before may still read the old index: it is closed with the last of them.
    private func wait(until isDone: () -> Bool) -> Bool {
        let end = ContinuousClock.now + .seconds(60)
        while !isDone() {
            let goesOn = state.waiting { state, waiter in
                if !state.pointee.isStopping { _ = waiter.wait(milliseconds: 20) }
                return !state.pointee.isStopping
            }
            guard goesOn, ContinuousClock.now < end else { return false }
        }
        return true
    }

    // MARK: - Attempts

    private func isDue(_ disk: DiskSlot) -> Bool {
        state.withLock { state in
            guard !state.isStopping, let attempt = state.attempts[disk.number] else { return false }
            return attempt.next <= .now
        }
    }

    private func fail(_ disk: DiskSlot, _ error: any Error) {
        let isFirst = state.withLock { state in
            let delay = state.attempts[disk.number].map { min($0.delay * 2, Self.longestDelay) } ?? Self.firstDelay
            defer { state.attempts[disk.number] = Attempt(next: .now + delay, delay: delay) }
            return state.attempts[disk.number] == nil
        }
        disk.enter(.failed(.unavailable("\(disk.path): \(error)")))
        if isFirst {
            opener.metrics.diskFailures.increment()
            logger.critical("a disk cannot be used", metadata: ["disk": "\(disk.path)", "error": "\(error)"])
        } else {
            logger.info("a disk still cannot be used", metadata: ["disk": "\(disk.path)", "error": "\(error)"])
        }
    }

    private func run(_ disk: DiskSlot, _ body: @escaping @Sendable () throws -> Void) {
        disk.leaveFailed()
        state.withLock { state in
            guard !state.isStopping else { return }
            state.running += 1
            state.threads.append(
                BlockingThread(name: "disk-open") {
                    // Whatever went wrong was reported where it did.
                    try? body()
                    self.state.withLock { $0.running -= 1 }
                })
        }
    }
}

/// A replica that is to go, and whether anybody still has it.
private final class Closing: @unchecked Sendable {
    private var strong: DiskReplica?
    private weak var replica: DiskReplica?

    init(_ replica: DiskReplica) {
        strong = replica
        self.replica = replica
    }

    func stop() {
        strong?.stop()
        strong = nil
    }

    var isClosed: Bool { replica == nil }
}

extension ObjectLogError {
    /// The directory is not this process's to use.
    var isSomebodyElses: Bool {
        switch self {
        case .locked, .foreign, .newerFormat: true
        default: false
        }
    }
}
