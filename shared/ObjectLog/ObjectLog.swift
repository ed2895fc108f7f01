import Checksums
import Glibc
import Logging
import Model
import NIOCore
import Synchronization
import Threads

public struct ObjectLogConfiguration: Sendable {
    public var node: NodeName
    /// Size of new segments; existing ones keep theirs.
    public var segmentSize: Int
    /// Appended records not yet on the disk; beyond it `waitForRoom` waits.
    public var queueSizeMax: Int
    /// How long a record that nobody waits for may stay in memory.
    public var lazyDelay: Duration

    public static let segmentSizes = (4 << 20)...(1 << 30)

    public init(
        node: NodeName, segmentSize: Int = 64 << 20, queueSizeMax: Int = 64 << 20,
        lazyDelay: Duration = .milliseconds(50)
    ) {
        self.node = node
        self.segmentSize = segmentSize
        self.queueSizeMax = queueSizeMax
        self.lazyDelay = lazyDelay
    }
}

/// One write and one sync of the writer thread.
public struct SyncedBatch: Sendable {
    /// Everything before this position is durable.
    public let end: LogPosition
    public let records: Int
    public let bytes: Int
    public let seconds: Double
}

/// Told by the writer thread; may block it.
public protocol ObjectLogObserver: AnyObject, Sendable {
    func logSynced(_ batch: SyncedBatch)
    /// A write or sync failed: what is not yet synced never will be, nothing is accepted any more.
    func logFailed(_ error: ObjectLogError)
}

public enum Urgency: Sendable {
    /// Somebody waits for the sync.
    case now
    /// With the next batch, or after `lazyDelay`.
    case lazy
}

/// The append-only log of one disk: the truth about what the disk holds.
///
/// One writer thread takes everything that waits, writes it in one go, syncs once and then tells the observer. Positions
/// are given at once by `append`, in the order of the log; nothing may be shown before the observer has heard of them.
/// After a failed write or sync the state of the disk is unknown, so the log stays read-only until a restart.
public final class ObjectLog: Sendable {
    /// Type of the log's own records: they only say how far the log was synced.
    static let markType: UInt8 = 0

    fileprivate struct State {
        var queue: [Pending] = []
        var queuedBytes = 0
        var isUrgent = false
        var segment: SegmentFile
        var nextOffset: Int
        var nextSequence: UInt64
        var durable: LogPosition
        /// Up to here a later record says that it was synced.
        var marked: LogPosition
        var failure: ObjectLogError?
        var isStopping = false
        var thread: BlockingThread?
        var supplyThread: BlockingThread?
    }

    struct Pending: Sendable {
        var entry: LogEntry
        var header: RecordHeader
        var segment: SegmentFile
    }

    public let owner: LogOwner
    private let directory: any LogDirectory
    private let configuration: ObjectLogConfiguration
    private let state: Monitor<State>
    private let supply: SegmentSupply
    private let files = Mutex<[UInt32: SegmentFile]>([:])
    private let observer = Mutex<(any ObjectLogObserver)?>(nil)
    /// Of checksums: see ``SegmentScan``.
    private let seed: UInt32

    private static let openFilesMax = 512
    private static let batchSizeMax = 16 << 20
    private static let markDelayMilliseconds = 200

    /// Opens or creates the log in a directory. When the directory is this process's, `checkpoint` is asked for the
    /// position that the index has reached; every record from there on is given to `replay`, in order. Afterwards the log
    /// can be read; `start` lets it be written.
    public static func open(
        _ directory: any LogDirectory, configuration: ObjectLogConfiguration,
        checkpoint: () throws -> LogPosition = { .start }, replay: @escaping (ReplayedRecord) throws -> Void
    ) throws -> (log: ObjectLog, report: RecoveryReport) {
        guard try directory.lock() else { throw ObjectLogError.locked(directory.path) }
        do {
            let owner = try LogOwner.claim(directory, for: configuration.node)
            let seed = crc32c(owner.disk.bytes)
            var recovery = LogRecovery(
                directory: directory, owner: owner, seed: seed, checkpoint: try checkpoint(), replay: replay)
            try recovery.run()
            return (try ObjectLog(directory, configuration, owner: owner, seed: seed, recovery), recovery.report)
        } catch {
            directory.unlock()
            throw error
        }
    }

    private init(
        _ directory: any LogDirectory, _ configuration: ObjectLogConfiguration, owner: LogOwner, seed: UInt32,
        _ recovery: LogRecovery
    ) throws {
        self.directory = directory
        self.configuration = configuration
        self.owner = owner
        self.seed = seed
        var spares = recovery.spares
        var nextNumber = recovery.nextNumber
        let current: SegmentFile
        if let last = recovery.current {
            current = last
        } else if !spares.isEmpty {
            current = spares.removeFirst()
        } else {
            do {
                current = try SegmentFile.prepare(
                    nextNumber, capacity: configuration.segmentSize, disk: owner.disk, in: directory)
            } catch { throw error.isDiskFull ? ObjectLogError.diskFull : ObjectLogError.file(error) }
            nextNumber += 1
        }
        let offset = recovery.current == nil ? SegmentFile.headerSize : Int(recovery.report.end.offset)
        let end = LogPosition(segment: current.number, offset: UInt32(offset))
        state = Monitor(
            State(
                segment: current, nextOffset: offset, nextSequence: recovery.nextSequence, durable: end, marked: .start)
        )
        supply = SegmentSupply(
            ready: spares, nextNumber: nextNumber, segmentSize: configuration.segmentSize, disk: owner.disk,
            directory: directory)
        remember(current)
    }

    /// Starts the threads. Once.
    public func start(observer: any ObjectLogObserver) {
        self.observer.withLock { $0 = observer }
        state.withLock {
            $0.supplyThread = supply.start()
            $0.thread = BlockingThread(name: "log-writer") { self.run() }
        }
    }

    /// Writes and syncs what waits, then ends. Nothing can be appended afterwards.
    public func stop() {
        let threads = state.withLock { state in
            state.isStopping = true
            return (state.thread, state.supplyThread)
        }
        state.wake()
        threads.0?.join()
        supply.stop()
        threads.1?.join()
        observer.withLock { $0 = nil }
        directory.unlock()
    }

    /// Set after a failed write or sync.
    public var failure: ObjectLogError? { state.withLock { $0.failure } }

    /// The last attempt to make room for more failed because the disk is full.
    public var isFull: Bool { supply.isFull }

    /// Where the next record goes: the size of the log so far.
    public var end: LogPosition {
        state.withLock { LogPosition(segment: $0.segment.number, offset: UInt32($0.nextOffset)) }
    }

    /// About how many bytes of log stand behind a position.
    public func bytes(since position: LogPosition) -> Int {
        let end = end
        return (Int(end.segment) - Int(position.segment)) * configuration.segmentSize
            + Int(end.offset) - Int(position.offset)
    }

    // MARK: - Appending

    /// Whether records of this size can be appended without waiting. Stays true until the next append.
    public func hasRoom(_ bytes: Int) throws(ObjectLogError) -> Bool {
        try state.withLock { state throws(ObjectLogError) in
            try state.checkOpen()
            return state.queuedBytes <= configuration.queueSizeMax && (state.fits(bytes) || supply.isReady)
        }
    }

    /// Waits until `hasRoom`. Call it before taking a lock of your own.
    public func waitForRoom(_ bytes: Int) throws(ObjectLogError) {
        try check(size: bytes)
        let fits = try state.waiting { state, waiter throws(ObjectLogError) -> Bool in
            while state.pointee.queuedBytes > configuration.queueSizeMax, state.pointee.failure == nil,
                !state.pointee.isStopping
            {
                waiter.wait()
            }
            try state.pointee.checkOpen()
            return state.pointee.fits(bytes)
        }
        if !fits { try supply.waitForSegment() }
    }

    /// Queues a record and returns its position. It is durable when the observer has been told of a later position.
    @discardableResult
    public func append(_ entry: LogEntry, urgency: Urgency = .now) throws(ObjectLogError) -> LogPosition {
        try check(size: entry.recordSize)
        while true {
            let placed = try state.withLock { state throws(ObjectLogError) -> (position: LogPosition?, wakes: Bool) in
                try state.checkOpen()
                while !state.fits(entry.recordSize, spare: 0) {
                    guard let next = supply.take() else { return (nil, false) }
                    state.segment = next
                    state.nextOffset = SegmentFile.headerSize
                    remember(next)
                }
                let wakes = urgency == .now ? !state.isUrgent : state.queue.isEmpty
                if urgency == .now { state.isUrgent = true }
                return (state.place(entry), wakes)
            }
            if placed.wakes { state.wake() }
            if let position = placed.position { return position }
            try supply.waitForSegment()
        }
    }

    private func check(size: Int) throws(ObjectLogError) {
        guard size <= configuration.segmentSize - SegmentFile.headerSize - 2 * RecordHeader.size else {
            throw .recordTooLarge(size)
        }
    }

    // MARK: - Reading

    /// The record of `size` bytes at a position, with every checksum verified.
    public func read(at position: LogPosition, size: Int) throws(ObjectLogError) -> LogRecord {
        let segment = try file(position.segment)
        guard size >= RecordHeader.size, Int(position.offset) + size <= segment.capacity else {
            throw .damaged(position, "it would reach beyond the end of its segment")
        }
        var buffer = ByteBufferAllocator().buffer(capacity: size)
        var failure: FileError?
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { memory in
            do throws(FileError) {
                return try segment.file.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: memory[0..<size]), at: Int(position.offset))
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw .file(failure) }
        guard let header = buffer.withUnsafeReadableBytes({ RecordHeader($0, at: position, seed: seed) }),
            header.recordSize == size
        else { throw .damaged(position, "no valid header") }
        buffer.moveReaderIndex(forwardBy: RecordHeader.size)
        let head = buffer.readBytes(length: header.headLength) ?? []
        guard crc32c(buffer) == header.payloadChecksum else {
            throw .damaged(position, "wrong checksum of the payload")
        }
        return LogRecord(
            position: position, type: header.type, head: head, payload: buffer, payloadChecksum: header.payloadChecksum)
    }

    private func file(_ number: UInt32) throws(ObjectLogError) -> SegmentFile {
        if let known = files.withLock({ $0[number] }) { return known }
        let opened = try SegmentFile.open(number, disk: owner.disk, in: directory)
        remember(opened)
        return opened
    }

    private func remember(_ segment: SegmentFile) {
        files.withLock { files in
            if files.count >= Self.openFilesMax, let oldest = files.keys.min() { files[oldest] = nil }
            files[segment.number] = segment
        }
    }

    // MARK: - Writer thread

    private func run() {
        var writer = BatchWriter(seed: seed)
        while let batch = nextBatch() {
            if !write(batch, with: &writer) { return }
        }
    }

    /// What waits, of one segment: a batch never begins a segment before the one before it is synced.
    private func nextBatch() -> [Pending]? {
        state.waiting { state, waiter in
            let lazyMilliseconds = max(1, Int(configuration.lazyDelay / .milliseconds(1)))
            while true {
                if state.pointee.failure != nil { return nil }
                if state.pointee.isUrgent { return state.pointee.takeBatch(sizeMax: Self.batchSizeMax) }
                if state.pointee.queue.isEmpty {
                    if state.pointee.isStopping {
                        return state.pointee.placeMark() ? state.pointee.takeBatch(sizeMax: .max) : nil
                    }
                    if !state.pointee.needsMark {
                        waiter.wait()
                    } else if !waiter.wait(milliseconds: Self.markDelayMilliseconds), state.pointee.queue.isEmpty {
                        // An idle log says how far it was synced, so that damage there is not taken for a torn tail.
                        _ = state.pointee.placeMark()
                    }
                } else if state.pointee.isStopping || !waiter.wait(milliseconds: lazyMilliseconds) {
                    return state.pointee.takeBatch(sizeMax: Self.batchSizeMax)
                }
            }
        }
    }

    /// False when the log has failed.
    private func write(_ batch: [Pending], with writer: inout BatchWriter) -> Bool {
        guard let last = batch.last else { return true }
        let begin = ContinuousClock.now
        let durable = state.withLock { $0.durable }
        do throws(FileError) {
            try writer.write(batch, durable: durable)
            try last.segment.file.sync()
        } catch {
            fail(error)
            return false
        }
        let end = last.header.position.advanced(by: last.header.alignedSize)
        let bytes = batch.reduce(0) { $0 + $1.header.alignedSize }
        state.withLock { state in
            state.durable = end
            state.marked = batch.allSatisfy { $0.header.type == Self.markType } ? end : durable
            state.queuedBytes -= bytes
        }
        state.wake()
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        let synced = SyncedBatch(end: end, records: batch.count, bytes: bytes, seconds: seconds)
        observer.withLock { $0 }?.logSynced(synced)
        return true
    }

    private func fail(_ error: FileError) {
        let failure = ObjectLogError.readOnly(error.description)
        state.withLock { state in
            state.failure = failure
            state.queue = []
        }
        state.wake()
        observer.withLock { $0 }?.logFailed(failure)
    }
}

extension ObjectLog.State {
    func checkOpen() throws(ObjectLogError) {
        if let failure { throw failure }
        if isStopping { throw .stopped }
    }

    /// Leaves room for one of the log's own marks, which may come between a question and an append.
    func fits(_ recordSize: Int, spare: Int = RecordHeader.size) -> Bool {
        nextOffset + RecordHeader.aligned(recordSize) + spare <= segment.capacity
    }

    /// Whether the last sync is not yet told by a later record.
    var needsMark: Bool { marked < durable && queue.isEmpty }

    mutating func place(_ entry: LogEntry) -> LogPosition {
        let position = LogPosition(segment: segment.number, offset: UInt32(nextOffset))
        let header = RecordHeader(
            type: entry.type, position: position, sequence: nextSequence, durable: .start, headLength: entry.head.count,
            payloadLength: entry.payload.readableBytes, payloadChecksum: entry.payloadChecksum)
        queue.append(ObjectLog.Pending(entry: entry, header: header, segment: segment))
        nextSequence += 1
        nextOffset += header.alignedSize
        queuedBytes += header.alignedSize
        return position
    }

    mutating func placeMark() -> Bool {
        let mark = LogEntry(type: ObjectLog.markType, head: [])
        guard needsMark, fits(mark.recordSize, spare: 0) else { return false }
        _ = place(mark)
        marked = durable
        return true
    }

    mutating func takeBatch(sizeMax: Int) -> [ObjectLog.Pending] {
        guard let first = queue.first else {
            isUrgent = false
            return []
        }
        var size = 0
        let count = queue.firstIndex { pending in
            size += pending.header.alignedSize
            return pending.segment.number != first.segment.number || size > sizeMax && pending.header != first.header
        }
        guard let count else {
            isUrgent = false
            defer { queue = [] }
            return queue
        }
        defer { queue.removeFirst(count) }
        return Array(queue[0..<count])
    }
}
