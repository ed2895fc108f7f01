import Logging
import MetadataIndex
import Model
import NIOCore
import ObjectLog
import Observability
import Register
import Ring
import Synchronization

/// The replica of a node: its disks, without bus and process around it.
///
/// Requests may block (they read the index and the log), so they come from worker threads. Completions are called once.
public final class StorageEngine: Sendable {
    public struct Options: Sendable {
        public var node: NodeName
        /// Where the node remembers which disks it has.
        public var dataDirectory: String
        public var disks: [String]
        public var segmentSize = 64 << 20
        public var indexMemory = 256 << 20
        public var stagedMemory = 128 << 20
        public var flushDistance = 256 << 20

        public init(node: NodeName, dataDirectory: String, disks: [String]) {
            self.node = node
            self.dataDirectory = dataDirectory
            self.disks = disks
        }
    }

    /// One configured disk: in service, or the reason why not.
    struct Slot: Sendable {
        let path: String
        let replica: Result<DiskReplica, StorageError>
    }

    let options: Options
    let slots: [Slot]
    private let set: DiskSet
    private let staged: StagedBlobs
    private let logger: Logger
    private let hints: HintListener
    /// What the disks cannot read.
    let damage: DamageList

    /// Opens every disk. One that fails is reported and left out; it is an error when all do, or when one is another's.
    public init(_ options: Options, metrics: MetricsRegistry, logger: Logger) throws {
        self.options = options
        self.logger = logger
        let record = options.dataDirectory + "/disks.json"
        var set = try DiskSet.load(path: record, configured: options.disks)
        let staged = StagedBlobs(sizeMax: options.stagedMemory)
        self.staged = staged
        let memory = IndexMemory(limit: options.indexMemory, indexes: set.disks.count)
        let counters = StorageMetrics(metrics)
        let hints = HintListener()
        self.hints = hints
        let damage = DamageList(metrics)
        self.damage = damage
        slots = try set.disks.map { path in
            try Self.open(
                path, mustHaveLog: set.wasUsed(path), options, memory, staged, damage, counters, logger, hints)
        }
        let usable = slots.filter { if case .success = $0.replica { true } else { false } }
        guard !usable.isEmpty else { throw StorageError.unavailable("no disk can be used") }
        try set.noteUse(of: usable.map(\.path), path: record)
        self.set = set
        metrics.gauge("storage_staged_bytes", help: "Blobs in memory that wait for their commit.") {
            Double(staged.bytes)
        }
    }

    private static func open(
        _ path: String, mustHaveLog: Bool, _ options: Options, _ memory: IndexMemory, _ staged: StagedBlobs,
        _ damage: DamageList, _ metrics: StorageMetrics, _ logger: Logger, _ hints: HintListener
    ) throws -> Slot {
        do {
            if mustHaveLog, try !DiskReplica.hasLog(path: path) {
                throw StorageError.unavailable(
                    "its log is gone: a disk that was wiped or replaced must not vote for what it has forgotten")
            }
            let disk = DiskOptions(
                node: options.node, segmentSize: options.segmentSize, memory: memory,
                flushDistance: options.flushDistance)
            let replica = try DiskReplica.open(
                path: path, options: disk, staged: staged, damage: damage, metrics: metrics, logger: logger,
                onHints: { hints.notify($0) })
            return Slot(path: path, replica: .success(replica))
        } catch {
            switch error {
            case ObjectLogError.locked, ObjectLogError.foreign, ObjectLogError.newerFormat: throw error
            default: break
            }
            metrics.diskFailures.increment()
            logger.critical("a disk cannot be used", metadata: ["disk": "\(path)", "error": "\(error)"])
            return Slot(path: path, replica: .failure(.unavailable("\(path): \(error)")))
        }
    }

    /// Blobs in memory that wait for their commit.
    var stagedBytes: Int { staged.bytes }

    /// Called when hints have become durable, with their number; must not block.
    public func onHints(_ listener: @escaping @Sendable (Int) -> Void) { hints.set(listener) }

    /// Called when damage was found, with how much there is; must not block.
    public func onDamage(_ listener: @escaping @Sendable (Int) -> Void) { damage.onChange(listener) }

    /// Damaged records with larger ids than `after`, without those that are no longer needed, and how many there are.
    func damaged(after: UInt64, limit: Int) -> (items: [DamageList.Item], total: Int) {
        let page = damage.page(after: after, limit: limit).items
        for disk in disks { disk.settleDamage(page.lazy.filter { $0.disk == disk.path }.map(\.record)) }
        return damage.page(after: after, limit: limit)
    }

    /// Work that comes up now and then; may block.
    public func maintain() {
        staged.dropExpired()
        for disk in disks { disk.maintain(flushDistance: options.flushDistance) }
    }

    /// Writes what waits and closes everything.
    public func stop() { for disk in disks { disk.stop() } }

    /// Those in service.
    var disks: [DiskReplica] { slots.compactMap { try? $0.replica.get() } }

    func disk(of name: RegisterName) throws(StorageError) -> DiskReplica {
        try slots[set.disks.count == 1 ? 0 : set.disk(ofSlotKey: name.indexKey)].replica.get()
    }

    func disk(of chunk: ChunkName) throws(StorageError) -> DiskReplica {
        try slots[set.disks.count == 1 ? 0 : set.disk(ofSlotKey: chunk.ringKey)].replica.get()
    }

    /// All disks, or the reason why one is missing: for answers that must not leave anything out.
    func allDisks() throws(StorageError) -> [DiskReplica] {
        var all: [DiskReplica] = []
        for slot in slots { all.append(try slot.replica.get()) }
        return all
    }
}

/// Who is told of new hints: known only after the disks are open.
private final class HintListener: Sendable {
    private let listener = Mutex<(@Sendable (Int) -> Void)?>(nil)

    func set(_ new: @escaping @Sendable (Int) -> Void) { listener.withLock { $0 = new } }
    func notify(_ count: Int) { listener.withLock { $0 }?(count) }
}
