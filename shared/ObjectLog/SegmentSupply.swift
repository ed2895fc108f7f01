import Glibc
import Model
import Threads

/// Keeps segments prepared ahead, on a thread of its own, so that appends seldom wait for a file to be written and a full
/// disk has a reserve for what frees space.
final class SegmentSupply: Sendable {
    /// Behind the active segment: the reserve of content, and one to go on with.
    static let preparedCount = AppendPriority.content.reserve + 1
    /// After a failure the next attempt comes by itself after so long, or at once when somebody asks.
    private static let retryMilliseconds = 1000
    /// Between two slices of the last segment that is missing. 64 MiB take less than a second with it.
    private static let pauseMilliseconds = 10

    fileprivate struct State {
        var ready: [SegmentFile]
        var nextNumber: UInt32
        var failure: ObjectLogError?
        /// There is space for the segments still missing: until they are ready, they count as being there.
        var hasSpace = false
        /// Somebody wants a segment that could not be made the last time.
        var retry = false
        var stopping = false
        var attempts = 0
    }

    private let state: Monitor<State>
    private let directory: any LogDirectory
    private let disk: DiskID
    private let segmentSize: Int
    /// Free bytes that are left to others: to the index, and to the files of the log that are not segments.
    private let reserve: Int

    init(
        ready: [SegmentFile], nextNumber: UInt32, segmentSize: Int, reserve: Int, disk: DiskID,
        directory: any LogDirectory
    ) {
        let free = ((try? directory.space().free) ?? 0) - reserve
        let missing = max(0, Self.preparedCount - ready.count)
        state = Monitor(State(ready: ready, nextNumber: nextNumber, hasSpace: free / segmentSize >= missing))
        self.directory = directory
        self.disk = disk
        self.segmentSize = segmentSize
        self.reserve = reserve
    }

    func start() -> BlockingThread { BlockingThread(name: "log-prepare") { self.run() } }

    func stop() {
        state.withLock { $0.stopping = true }
        state.wake()
    }

    /// Space may have become free.
    func retry() {
        state.withLock { $0.retry = true }
        state.wake()
    }

    /// Whether as many segments as `reserve` are prepared, besides one to take. Those that are about to be prepared, and
    /// have the space, count; the one to take must be there.
    func holds(_ reserve: Int, taking: Bool) -> Bool { state.withLock { $0.holds(reserve, taking: taking) } }

    var isFull: Bool { state.withLock { $0.failure == .diskFull } }

    /// The next segment, if as many as `reserve` are left behind it.
    func take(leaving reserve: Int) -> SegmentFile? {
        let taken = state.withLock { $0.holds(reserve, taking: true) ? $0.ready.removeFirst() : nil }
        if taken != nil { state.wake() }
        return taken
    }

    /// Waits until it holds them. On a full disk it says so after one more try.
    func wait(for reserve: Int, taking: Bool) throws(ObjectLogError) {
        let attempts = state.withLock { state in
            state.retry = state.failure != nil
            return state.attempts
        }
        state.wake()
        try state.waiting { state, waiter throws(ObjectLogError) in
            while !state.pointee.holds(reserve, taking: taking) {
                if state.pointee.stopping { throw .stopped }
                if let failure = state.pointee.failure, state.pointee.attempts != attempts { throw failure }
                waiter.wait()
            }
        }
    }

    private func run() {
        while let wanted = nextWanted() {
            let made = Result { () throws(ObjectLogError) in try prepare(wanted.number, missing: wanted.missing) }
            state.withLock { state in
                state.retry = false
                state.attempts += 1
                switch made {
                case .success(let segment):
                    state.ready.append(segment)
                    state.nextNumber += 1
                    state.failure = nil
                case .failure(let error):
                    state.failure = error
                    state.hasSpace = false
                }
            }
            state.wake()
        }
    }

    private func prepare(_ number: UInt32, missing: Int) throws(ObjectLogError) -> SegmentFile {
        do throws(FileError) {
            let free = try directory.space().free - reserve
            guard free >= segmentSize else { throw FileError("statvfs", directory.path, code: ENOSPC) }
            state.withLock { $0.hasSpace = free / segmentSize >= missing }
            state.wake()
            return try SegmentFile.prepare(number, capacity: segmentSize, disk: disk, in: directory, pause: pause)
        } catch {
            throw error.isDiskFull ? .diskFull : .file(error)
        }
    }

    /// Leaves the device to others while there is no hurry: only the last segment is missing.
    private func pause() {
        state.waiting { state, waiter in
            guard state.pointee.ready.count >= Self.preparedCount - 1, !state.pointee.stopping else { return }
            _ = waiter.wait(milliseconds: Self.pauseMilliseconds)
        }
    }

    private func nextWanted() -> (number: UInt32, missing: Int)? {
        state.waiting { state, waiter in
            while !state.pointee.stopping {
                let missing = Self.preparedCount - state.pointee.ready.count
                if missing > 0 {
                    if state.pointee.failure == nil || state.pointee.retry {
                        return (state.pointee.nextNumber, missing)
                    }
                    if !waiter.wait(milliseconds: Self.retryMilliseconds) { state.pointee.retry = true }
                } else {
                    waiter.wait()
                }
            }
            return nil
        }
    }
}

extension SegmentSupply.State {
    fileprivate func holds(_ reserve: Int, taking: Bool) -> Bool {
        if taking, ready.isEmpty { return false }
        return hasSpace || ready.count >= reserve + (taking ? 1 : 0)
    }
}

extension FileError {
    var isDiskFull: Bool { code == ENOSPC || code == EDQUOT }
}
