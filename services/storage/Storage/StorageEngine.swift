import Logging
import MetadataIndex
import Model
import ObjectLog
import Observability
import Synchronization

/// The replica of a node: its disks, without bus and process around it.
///
/// Requests may block (they read the index and the log), so they come from worker threads. Completions are called once.
public final class StorageEngine: Sendable {
    public struct Options: Sendable {
        public var node: NodeName
        /// Where the node remembers which disks it has.
        public var dataDirectory: String
        /// Those that it begins with; new ones are added.
        public var disks: [String]
        public var segmentSize = 64 << 20
        public var indexMemory = 256 << 20
        public var stagedMemory = 128 << 20
        public var flushDistance = 256 << 20
        /// Bytes a second that go from one disk to another while slots are moved; 0: as fast as it goes.
        public var moveRate = 0
        /// Opens a directory of the log's file layer: tests put simulated ones in.
        var logDirectory: @Sendable (_ path: String) throws -> any LogDirectory = { try RealDirectory($0) }
        var isSimulated = false
        /// Bytes of each file system that are left free for the index and other files.
        public var reserve = 0
        var compaction = CompactionOptions()
        /// nil: disks are not scrubbed.
        var scrub: Scrubber.Settings?

        public init(node: NodeName, dataDirectory: String, disks: [String]) {
            self.node = node
            self.dataDirectory = dataDirectory
            self.disks = disks
        }
    }

    let options: Options
    let set: DiskSet
    let opener: DiskOpener
    let mover: SlotMover
    let logger: Logger
    let metrics: MetricsRegistry
    let upkeep: DiskUpkeep
    private let staged: StagedBlobs
    private let hints: HintListener
    /// What the disks cannot read.
    let damage: DamageList
    let noted: NotedCounter
    let scrubMetrics: ScrubMetrics
    let diagnosis = Diagnosis()

    /// Opens every disk. One that fails is reported, left out and tried again later; it is an error when one is in use by
    /// another process, another node's or a newer version's, or when nobody knows which disk holds what.
    public init(_ options: Options, metrics: MetricsRegistry, logger: Logger) throws {
        self.options = options
        self.logger = logger
        self.metrics = metrics
        let (staged, hints) = (StagedBlobs(sizeMax: options.stagedMemory), HintListener())
        (self.staged, self.hints) = (staged, hints)
        damage = DamageList(metrics)
        noted = try NotedCounter(path: options.dataDirectory + "/noted-counter")
        scrubMetrics = ScrubMetrics(metrics)
        opener = DiskOpener(
            options: options, memory: IndexMemory(limit: options.indexMemory, indexes: max(1, options.disks.count)),
            staged: staged, damage: damage, metrics: StorageMetrics(metrics), logger: logger,
            onHints: { hints.notify($0) })
        let file = DiskTableFile(directory: try options.logDirectory(options.dataDirectory))
        let table = try opener.table(file)
        set = DiskSet(table, file: file)
        mover = SlotMover(set: set, rate: options.moveRate, insists: !options.isSimulated, logger: logger)
        upkeep = DiskUpkeep(set: set, opener: opener, mover: mover, logger: logger)
        do { try upkeep.openAll() } catch {
            for disk in disks { disk.stop() }
            throw error
        }
        for disk in slots { register(disk, metrics) }
        measure()
        metrics.gauge("storage_staged_bytes", help: "Blobs in memory that wait for their commit.") {
            Double(staged.bytes)
        }
        metrics.gauge(
            "storage_index_memory_bytes", help: "What the indexes of all disks have in memory, of storage.index_memory."
        ) { [weak self] in Double(self?.indexMemoryUse ?? 0) }
    }

    /// Begins with what needs a thread of its own: moving slots between disks.
    public func start() { mover.start() }

    /// Bytes of cache and write buffers.
    private var indexMemoryUse: Int { disks.reduce(opener.memory.cached) { $0 + $1.index.memoryUse.ofItsOwn } }

    /// Blobs in memory that wait for their commit.
    var stagedBytes: Int { staged.bytes }

    /// nil: it does not wait here.
    func stagedSize(of blob: BlobID) -> Int? { staged.size(of: blob) }

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
        startScrubs()
        for disk in disks { disk.maintain(flushDistance: options.flushDistance) }
        upkeep.check()
        measure()
    }

    /// Writes what waits and closes everything.
    public func stop() {
        diagnosis.stop()
        mover.stop()
        upkeep.stop()
        for disk in disks { disk.stop() }
    }

    // MARK: - Disks

    /// All disks of the node, retired ones too.
    var slots: [DiskSlot] { self.set.disks }

    /// Those in service.
    var disks: [DiskReplica] { slots.compactMap { try? $0.replica.get() } }

    func disk(of name: RegisterName) throws(StorageError) -> DiskReplica {
        try set.disk(ofSlot: SlotSet.slot(ofKey: name.indexKey)).disk.replica.get()
    }

    func disk(of chunk: ChunkName) throws(StorageError) -> DiskReplica {
        try set.disk(ofSlot: SlotSet.slot(ofKey: chunk.ringKey)).disk.replica.get()
    }

    /// All disks that answer for something, or the reason why one is missing: for answers that must not leave anything
    /// out. `slots`: what of its index counts; nil: everything.
    func allDisks(_ routing: DiskSet.Routing) throws(StorageError) -> [(replica: DiskReplica, slots: SlotSet?)] {
        var all: [(DiskReplica, SlotSet?)] = []
        let isShared = set.isShared
        for disk in routing.inUse { all.append((try disk.replica.get(), isShared ? routing.slots(of: disk) : nil)) }
        return all
    }

    /// Asks all disks at a moment at which no slot changes its disk.
    func withAllDisks<R>(_ body: ([(replica: DiskReplica, slots: SlotSet?)]) throws -> R) throws -> R {
        for _ in 0..<Self.routingAttempts {
            let routing = set.routing
            let result = Result { try body(try allDisks(routing)) }
            if set.routing.version == routing.version { return try result.get() }
        }
        throw StorageError.overloaded
    }

    private static let routingAttempts = 8
}

/// Who is told of new hints: known only after the disks are open.
private final class HintListener: Sendable {
    private let listener = Mutex<(@Sendable (Int) -> Void)?>(nil)

    func set(_ new: @escaping @Sendable (Int) -> Void) { listener.withLock { $0 = new } }
    func notify(_ count: Int) { listener.withLock { $0 }?(count) }
}
