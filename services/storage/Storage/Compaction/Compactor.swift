import Logging
import MetadataIndex
import Model
import ObjectLog
import Synchronization
import Threads

/// Keeps the segments of one disk free of garbage, on a thread of its own: by itself when enough has gathered, at once
/// when the disk is full, and when an operator says so. Requests come first; see ``CompactionOptions``.
final class Compactor: Sendable {
    /// Ends the compaction of a segment half way: the next one begins it again.
    struct Stopped: Error {}

    /// Why a segment is left alone, and until what changes.
    fileprivate struct Block: Equatable {
        var outcome: SegmentCompaction.Outcome
        var liveRecords: UInt64
        var doubt: UInt64
        var since: ContinuousClock.Instant

        /// Damaged records are healed one after the other: not worth a look each time.
        func isOver(liveRecords: UInt64, doubt: UInt64, now: ContinuousClock.Instant) -> Bool {
            switch outcome {
            case .doubtful: doubt != self.doubt
            case .damaged, .held, .removed:
                liveRecords == 0 || liveRecords != self.liveRecords && since + .seconds(60) < now
            }
        }
    }

    fileprivate struct State: ThreadedState {
        var isStopping = false
        var isSuspended = false
        /// Segments that an operator's command still wants.
        var commanded: Set<UInt32> = []
        var blocks: [UInt32: Block] = [:]
        var restUntil: ContinuousClock.Instant?
        var pace: CompactionPace
        var status = CompactionStatus()
        var thread: BlockingThread?
    }

    private static let tickMilliseconds = 1000
    private static let retryDelay = Duration.seconds(10)

    private let options: CompactionOptions
    private let state: Monitor<State>

    init(_ options: CompactionOptions) {
        self.options = options
        state = Monitor(State(pace: CompactionPace(rate: options.rate, now: .now)))
    }

    // MARK: - Commands

    /// Compacts every segment of the disk that has garbage worth it. `rate`: bytes a second for this run.
    func start(_ disk: DiskReplica, rate: Int? = nil) {
        let wanted = targets(of: disk, for: .command).map(\.segment)
        state.withLock { state in
            state.isSuspended = false
            state.commanded = Set(wanted)
            state.restUntil = nil
            state.pace = CompactionPace(rate: rate ?? options.rate, now: .now)
            if !wanted.isEmpty { state.begin(now: DiskReplica.wallMilliseconds) }
        }
        launch(disk)
    }

    /// Looks for work from now on. Once.
    func launch(_ disk: DiskReplica) {
        state.launch(name: "compaction") { self.run(disk) }
        state.wake()
    }

    /// Takes effect at once, in the middle of a segment too.
    func suspend() { state.withLock { $0.isSuspended = true } }

    func resume() {
        state.withLock { $0.isSuspended = false }
        state.wake()
    }

    func stop() { state.stop() }

    func status(of disk: DiskReplica) -> CompactionStatus {
        let total = disk.settledSegments.count
        let pending = plan(disk).count
        return state.withLock { state in
            var status = state.status
            if state.isSuspended { status.activity = .suspending }
            status.totalSegments = total
            status.pendingSegments = max(0, pending - status.ongoingSegments)
            status.doubtfulSegments = state.blocks.values.count { $0.outcome == .doubtful }
            status.damagedSegments = state.blocks.values.count { if case .damaged = $0.outcome { true } else { false } }
            status.rate = state.pace.rate
            return status
        }
    }

    /// Waits until nothing is left that was begun.
    func awaitIdle() {
        state.waiting { state, waiter in
            while state.pointee.status.activity == .running, !state.pointee.isStopping { waiter.wait() }
        }
    }

    // MARK: - Work

    /// Compacts the segment with the most garbage, here and now, whatever the settings say. nil: none is worth it.
    func compactOne(_ disk: DiskReplica) throws -> SegmentCompaction.Outcome? {
        guard let target = plan(disk, anyway: true).first else { return nil }
        return try compact(target, of: disk) { _, _ in }
    }

    private func run(_ disk: DiskReplica) {
        while let target = next(disk) {
            do {
                _ = try compact(target, of: disk) { try self.rest($0, disk, $1) }
            } catch is Stopped {
                return
            } catch {
                obstruct(StorageError(error), disk)
            }
        }
    }

    /// Waits for something to do; nil: the disk is closed.
    private func next(_ disk: DiskReplica) -> UInt32? {
        while true {
            let mayWork = state.withLock { state in
                !state.isStopping && !state.isSuspended && state.restUntil.map { $0 <= .now } ?? true
            }
            if mayWork, let target = plan(disk).first {
                state.withLock { $0.begin(now: DiskReplica.wallMilliseconds) }
                return target
            }
            let isStopping = state.waiting { state, waiter in
                if mayWork, state.pointee.end(now: DiskReplica.wallMilliseconds) { self.state.wake() }
                if !state.pointee.isStopping { _ = waiter.wait(milliseconds: Self.tickMilliseconds) }
                return state.pointee.isStopping
            }
            if isStopping { return nil }
        }
    }

    private func compact(
        _ number: UInt32, of disk: DiskReplica, pace: @escaping (Int, MoveWindow) throws -> Void
    ) throws -> SegmentCompaction.Outcome? {
        guard let segment = disk.settledSegments.first(where: { $0.number == number }) else { return nil }
        let begin = ContinuousClock.now
        let window = MoveWindow(sizeMax: CompactionOptions.bytesInFlightMax)
        var compaction = SegmentCompaction(segment, of: disk, window: window) { try pace($0, window) }
        state.withLock { $0.status.ongoingSegments = 1 }
        disk.metrics.compactionBegan()
        defer {
            state.withLock { state in
                state.status.ongoingSegments = 0
                state.status.movedBytes += compaction.movedBytes
            }
            disk.metrics.compactionEnded(seconds: (ContinuousClock.now - begin) / .seconds(1))
        }
        let outcome = try compaction.run()
        note(outcome, number, disk)
        return outcome
    }

    private func note(_ outcome: SegmentCompaction.Outcome, _ number: UInt32, _ disk: DiskReplica) {
        let block = Block(
            outcome: outcome, liveRecords: disk.index.segmentTotals(of: number)?.liveRecords ?? 0,
            doubt: disk.index.doubt, since: .now)
        state.withLock { state in
            state.status.obstacle = nil
            if case .removed(let freed) = outcome {
                state.blocks[number] = nil
                state.status.removedSegments += 1
                state.status.freedBytes += UInt64(freed)
            } else {
                state.blocks[number] = block
            }
        }
        if case .removed(let freed) = outcome { return disk.metrics.compactionFreed(freed) }
        disk.logger.warning(
            "a segment cannot be removed yet",
            metadata: ["disk": "\(disk.path)", "segment": "\(number)", "reason": "\(outcome)"])
    }

    private func obstruct(_ error: StorageError, _ disk: DiskReplica) {
        let isNews = state.withLock { state in
            defer { state.status.obstacle = error.description }
            // Room may come at any moment; what else fails will not change so fast.
            state.restUntil = .now + (error == .diskFull ? .milliseconds(Self.tickMilliseconds) : Self.retryDelay)
            return state.status.obstacle != error.description
        }
        guard isNews else { return }
        disk.logger.error(
            "compaction does not get on", metadata: ["disk": "\(disk.path)", "error": "\(error)"])
    }

    /// Before bytes are read or written: waits for their time, for requests that are in the way, and while suspended.
    private func rest(_ bytes: Int, _ disk: DiskReplica, _ window: MoveWindow) throws {
        var end = state.withLock { $0.pace.use(bytes, now: .now) }
        while true {
            let isBusy = disk.backlog - window.records > CompactionOptions.backlogMax
            if isBusy { end = max(end, .now + .milliseconds(2)) }
            let isDone = try state.waiting { state, waiter in
                if state.pointee.isStopping { throw Stopped() }
                if state.pointee.isSuspended {
                    waiter.wait()
                    return false
                }
                guard end > .now else { return true }
                _ = waiter.wait(milliseconds: max(1, Int((end - .now) / .milliseconds(1))))
                return false
            }
            if isDone, !isBusy { return }
        }
    }

    // MARK: - Choice

    /// Segments to compact now, the best first.
    private func plan(_ disk: DiskReplica, anyway: Bool = false) -> [UInt32] {
        guard disk.failure == nil else { return [] }
        let commanded = state.withLock { $0.commanded }
        var wanted: [CompactionCandidate] = []
        if disk.log.isFull { wanted += targets(of: disk, for: .room) }
        if anyway {
            wanted += targets(of: disk, for: .command)
        } else if !commanded.isEmpty {
            let left = targets(of: disk, for: .command).filter { commanded.contains($0.segment) }
            state.withLock { $0.commanded.formIntersection(left.map(\.segment)) }
            wanted += left
        }
        if options.isAutomatic { wanted += targets(of: disk, for: .automatic) }
        var seen: Set<UInt32> = []
        return wanted.map(\.segment).filter { seen.insert($0).inserted }
    }

    private func targets(of disk: DiskReplica, for reason: CompactionChoice.Reason) -> [CompactionCandidate] {
        let blocks = state.withLock { $0.blocks }
        let doubt = disk.index.doubt
        let candidates = disk.settledSegments.filter { segment in
            guard let block = blocks[segment.number] else { return true }
            let live = disk.index.segmentTotals(of: segment.number)?.liveRecords ?? 0
            return block.isOver(liveRecords: live, doubt: doubt, now: .now)
        }
        return CompactionChoice(ratio: options.ratio).targets(candidates.map(disk.compactionCandidate), for: reason)
    }
}

extension Compactor.State {
    fileprivate mutating func begin(now: Int64) {
        guard status.activity == .idling else { return }
        status.activity = .running
        status.lastStart = now
    }

    /// Whether something was running.
    fileprivate mutating func end(now: Int64) -> Bool {
        guard status.activity == .running else { return false }
        status.activity = .idling
        status.lastEnd = now
        return true
    }
}
