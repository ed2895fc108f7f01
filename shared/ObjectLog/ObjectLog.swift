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
    /// Bytes of the file system that are left free when a segment is prepared: for the index and others.
    public var reserve: Int
    /// Segments kept open for reading; the least used is closed first.
    public var openFilesMax: Int
    /// Records of so many bytes on the average are written past the system's cache.
    public var directFrom = 128 << 10

    public static let segmentSizes = (4 << 20)...(1 << 30)

    public init(
        node: NodeName, segmentSize: Int = 64 << 20, queueSizeMax: Int = 64 << 20,
        lazyDelay: Duration = .milliseconds(50), reserve: Int = 0, openFilesMax: Int = 256
    ) {
        self.node = node
        self.segmentSize = segmentSize
        self.queueSizeMax = queueSizeMax
        self.lazyDelay = lazyDelay
        self.reserve = reserve
        self.openFilesMax = openFilesMax
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

    struct State {
        var queue: [Pending] = []
        var queuedBytes = 0
        var isUrgent = false
        var segment: SegmentFile
        var nextOffset: Int
        /// The segment takes nothing more; there was no room for another one when the log was opened.
        var isEnded = false
        var nextSequence: UInt64
        /// Of the active segment: records that no block of its footer tells of yet.
        var footer: FooterBuilder
        /// Full segments whose footers are not synced yet.
        var sealing: Set<UInt32> = []
        var durable: LogPosition
        /// Up to here a later record says that it was synced.
        var marked: LogPosition
        /// Before the log has come behind it, its end mark stays as it is.
        var markHeldUntil: LogPosition
        var failure: ObjectLogError?
        var isStopping = false
        var thread: BlockingThread?
        var supplyThread: BlockingThread?
    }

    struct Pending: Sendable {
        var entry: LogEntry
        var header: RecordHeader
        var segment: SegmentFile
        /// Bytes for the end of the segment, when this record ends it.
        var trailer: [UInt8]?
    }

    public let owner: LogOwner
    /// Its directory.
    public var path: String { directory.path }
    let directory: any LogDirectory
    let configuration: ObjectLogConfiguration
    let state: Monitor<State>
    let supply: SegmentSupply
    let files: OpenSegments
    let catalog: Mutex<SegmentCatalog>
    /// Held while a segment is removed.
    let removal = Mutex(())
    let observer = Mutex<(any ObjectLogObserver)?>(nil)
    /// As it was opened; nil: the disk is full. The writer thread goes on with it.
    let endMark: EndMark?
    /// Of checksums: see ``RecordScan``.
    let seed: UInt32

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
            let known = try EndMark.read(directory, owner: owner, seed: seed)
            var recovery = LogRecovery(
                directory: directory, owner: owner, seed: seed, segmentSize: configuration.segmentSize,
                checkpoint: try checkpoint(), endMark: known.position, replay: replay)
            try recovery.run()
            if known == .lost { recovery.noteUnknownEnd() }
            let log = try ObjectLog(directory, configuration, owner: owner, seed: seed, recovery, known)
            return (log, recovery.report)
        } catch {
            directory.unlock()
            throw error
        }
    }

    private init(
        _ directory: any LogDirectory, _ configuration: ObjectLogConfiguration, owner: LogOwner, seed: UInt32,
        _ recovery: LogRecovery, _ known: EndMark.Knowledge
    ) throws {
        self.directory = directory
        self.configuration = configuration
        var owner = owner
        do throws(FileError) {
            endMark = try EndMark.open(directory, owner: &owner, seed: seed, known)
        } catch {
            guard error.isDiskFull else { throw error }
            endMark = nil
        }
        self.owner = owner
        self.seed = seed
        let start = try recovery.place(configuration)
        state = Monitor(
            State(
                segment: start.segment, nextOffset: Int(start.position.offset), isEnded: start.isEnded,
                nextSequence: recovery.nextSequence, footer: start.footer, durable: start.position, marked: .start,
                markHeldUntil: recovery.hasLostEnd ? LogPosition(rawValue: .max) : .start))
        supply = SegmentSupply(
            ready: start.spares, nextNumber: start.nextNumber, segmentSize: configuration.segmentSize,
            reserve: configuration.reserve, disk: owner.disk, directory: directory)
        files = OpenSegments(max: configuration.openFilesMax, disk: owner.disk, directory: directory)
        files.remember(start.segment)
        var catalog = recovery.catalog
        catalog.use(start.segment)
        self.catalog = Mutex(catalog)
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

    /// What is lost of the end of the log is remembered by the record at this position: only when that one is durable, the
    /// end mark, which tells of the loss, is written anew. After ``LogDamage/Kind/lostEnd`` it is the first record.
    public func lossIsRemembered(at position: LogPosition) { state.withLock { $0.markHeldUntil = position } }

    /// Set after a failed write or sync.
    public var failure: ObjectLogError? { state.withLock { $0.failure } }

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
}
