import Glibc
import Model
import Threads

/// Keeps one segment prepared ahead, on a thread of its own, so that appends seldom wait for a file to be written.
final class SegmentSupply: Sendable {
    private struct State {
        var ready: [SegmentFile]
        var nextNumber: UInt32
        var failure: ObjectLogError?
        /// Somebody wants a segment that could not be made the last time.
        var retry = false
        var stopping = false
    }

    private let state: Monitor<State>
    private let directory: any LogDirectory
    private let disk: DiskID
    private let segmentSize: Int

    init(ready: [SegmentFile], nextNumber: UInt32, segmentSize: Int, disk: DiskID, directory: any LogDirectory) {
        state = Monitor(State(ready: ready, nextNumber: nextNumber))
        self.directory = directory
        self.disk = disk
        self.segmentSize = segmentSize
    }

    func start() -> BlockingThread { BlockingThread(name: "log-prepare") { self.run() } }

    func stop() {
        state.withLock { $0.stopping = true }
        state.wake()
    }

    var isReady: Bool { state.withLock { !$0.ready.isEmpty } }

    var isFull: Bool { state.withLock { $0.failure == .diskFull } }

    /// The next segment, if one is prepared.
    func take() -> SegmentFile? {
        let taken = state.withLock { $0.ready.isEmpty ? nil : $0.ready.removeFirst() }
        if taken != nil { state.wake() }
        return taken
    }

    /// Waits until a segment is prepared. On a full disk it says so after one more try.
    func waitForSegment() throws(ObjectLogError) {
        state.withLock { $0.retry = $0.failure != nil }
        state.wake()
        try state.waiting { state, waiter throws(ObjectLogError) in
            while state.pointee.ready.isEmpty {
                if state.pointee.stopping { throw .stopped }
                if let failure = state.pointee.failure, !state.pointee.retry { throw failure }
                waiter.wait()
            }
        }
    }

    private func run() {
        while let number = nextWanted() {
            let made = Result { () throws(FileError) in
                try SegmentFile.prepare(number, capacity: segmentSize, disk: disk, in: directory)
            }
            state.withLock { state in
                state.retry = false
                switch made {
                case .success(let segment):
                    state.ready.append(segment)
                    state.nextNumber += 1
                    state.failure = nil
                case .failure(let error):
                    state.failure = error.isDiskFull ? .diskFull : .file(error)
                }
            }
            state.wake()
        }
    }

    private func nextWanted() -> UInt32? {
        state.waiting { state, waiter in
            while !state.pointee.stopping {
                if state.pointee.ready.isEmpty, state.pointee.failure == nil || state.pointee.retry {
                    return state.pointee.nextNumber
                }
                waiter.wait()
            }
            return nil
        }
    }
}

extension FileError {
    var isDiskFull: Bool { code == ENOSPC || code == EDQUOT }
}
