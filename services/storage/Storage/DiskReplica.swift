import Checksums
import Glibc
import Logging
import MetadataIndex
import Model
import NIOCore
import ObjectLog
import PlantedBugs
import Register
import Synchronization
import Threads

/// One disk: its log, its index and the registers of which it is a replica. The shell around `RegisterReplica`.
///
/// A request reads the index, then takes the lock, asks the pure machine, appends what it says and leaves; the answer
/// goes out when the writer thread of the log reports the sync that it waits for, after the index was brought up to
/// date. Everything appended under the lock is in the queue in the order of the log.
final class DiskReplica: Sendable {
    typealias Held = @Sendable (StorageError?) -> Void

    struct State {
        var replica: RegisterReplica<RegisterName, ReplicaRecord>
        var held: HeldAnswers<Held>
        /// Appended, not yet synced and in the index.
        var queue: [Queued] = []
        /// The blobs among them.
        var blobs: [BlobKey: CheckedBytes] = [:]
        /// Tombstones among them that are purged.
        var purging: [RegisterName: Ballot] = [:]
        var failure: StorageError?
        /// A ceiling that could not be appended because there was no room.
        var ceilingWanted: UInt64?
        /// The slots for which this disk decides.
        var owned = SlotSet.all
        var ownsAll = true
    }

    struct Queued {
        var position: LogPosition
        var change: IndexChange
        /// Of what the machine decided: one, or several for a purge.
        var tickets: [AppendTicket] = []
        var answer: Held?
    }

    let path: String
    let log: ObjectLog
    let index: MetadataIndex
    let staged: StagedBlobs
    let metrics: StorageMetrics
    let logger: Logger
    let state: Monitor<State>
    /// Also keeps index and digests in step: whoever changes the index holds it.
    let digests = Mutex(PartitionDigests())
    /// What cannot be read, of all disks of the node.
    let damage: DamageList
    /// What a request could not read, by errors that may pass.
    let suspects = Mutex<[DamagedRecord.Key: DamagedRecord]>([:])
    /// What changes while slots are copied to another disk.
    let changes = Mutex<SlotChanges?>(nil)
    let compactor: Compactor
    let scrub = Mutex(DiskScrub())
    /// Called after hints have become durable, on the writer thread.
    let onHints: @Sendable (Int) -> Void
    /// Grows whenever states leave the machine for the index: what was read from the index before may be old.
    let generation = Atomic<UInt64>(0)
    private let indexDamage = Atomic<Bool>(false)
    private let indexIsFull = Atomic<Bool>(false)

    init(
        path: String, log: ObjectLog, index: MetadataIndex, staged: StagedBlobs, damage: DamageList,
        metrics: StorageMetrics, logger: Logger, compaction: CompactionOptions = .init(),
        onHints: @escaping @Sendable (Int) -> Void
    ) {
        self.path = path
        self.log = log
        self.index = index
        self.staged = staged
        self.damage = damage
        compactor = Compactor(compaction)
        self.metrics = metrics
        self.logger = logger
        self.onHints = onHints
        let (ceiling, floor) = (index.ceiling, index.floor)
        state = Monitor(
            State(
                replica: RegisterReplica(
                    ceiling: ceiling, isDoubtful: index.hasDoubt,
                    floor: PurgeFloor(ballot: floor.ballot, sequence: floor.sequence)),
                held: HeldAnswers(ceiling: ceiling)))
    }

    var failure: StorageError? { state.withLock { $0.failure } }

    // MARK: - Critical section

    /// What the index had when the lock was taken.
    struct Found {
        var stored: DurableState<ReplicaRecord>
        /// Of the blobs asked about, those that the index has.
        var blobs: Set<BlobID> = []
    }

    /// Runs `body` under the lock with what the index has for a key, in one critical section: the reads come before the
    /// lock, and are repeated under it if anything became durable in between. `room`: bytes that the body may append
    /// with this priority. `atHand`: what was read already.
    func critical<R>(
        _ name: RegisterName, room: Int, priority: AppendPriority = .content, blobs: [BlobID] = [],
        atHand: AtHand? = nil, _ body: (inout State, Found) throws -> R
    ) throws -> R {
        var atHand = blobs.isEmpty && atHand?.disk === self ? atHand : nil
        while true {
            let before = atHand?.generation ?? generation.load(ordering: .acquiring)
            let early = atHand?.found ?? look(name, blobs)
            atHand = nil
            if room > 0, try !log.hasRoom(room, priority: priority) {
                try log.waitForRoom(room, priority: priority)
            }
            let result = try state.withLock { state -> R? in
                if room > 0 {
                    if let failure = state.failure { throw failure }
                    guard try log.hasRoom(room, priority: priority) else { return nil }
                }
                try checkOwner(SlotSet.slot(ofKey: name.indexKey), state)
                retryCeiling(&state)
                let isCurrent = generation.load(ordering: .acquiring) == before
                return try body(&state, isCurrent ? early : look(name, blobs))
            }
            if let result { return result }
        }
    }

    private func look(_ name: RegisterName, _ blobs: [BlobID]) -> Found {
        Found(
            stored: stored(name),
            blobs: Set(blobs.filter { (try? index.blob(BlobKey($0))).flatMap { $0 }.map { !$0.isDamaged } ?? false }))
    }

    /// What the index has for a key, and whether it can be trusted.
    func stored(_ name: RegisterName) -> DurableState<ReplicaRecord> {
        let doubt = index.hasDoubt ? index.doubt(ofSlot: SlotSet.slot(ofKey: name.indexKey)) : 0
        do throws(IndexError) {
            guard let found = try index.register(name) else { return doubt == 0 ? .absent : .doubtful }
            return found.position < doubt ? .doubtful : judged(found)
        } catch {
            note(error)
            return .unreadable
        }
    }

    func judged(_ found: IndexedRegister) -> DurableState<ReplicaRecord> {
        if PlantedBug.skipTombstones.isPlanted, found.value.isTombstone { return .absent }
        return .found(ReplicaState(found.value))
    }

    /// An error of the index. A damaged one is to be rebuilt: whoever looks after the disk asks for ``isIndexDamaged``.
    func note(_ error: IndexError) {
        metrics.indexErrors.increment()
        logger.error("the index cannot be read", metadata: ["disk": "\(path)", "error": "\(error)"])
        if error.isCorruption { indexDamage.store(true, ordering: .relaxed) }
        if error.kind == .noSpace { indexIsFull.store(true, ordering: .relaxed) }
    }

    /// Runs something that reads the index, and takes note of what is wrong with it.
    func noting<R>(_ body: () throws -> R) throws -> R {
        do { return try body() } catch let error as IndexError {
            note(error)
            throw error
        }
    }

    var isIndexDamaged: Bool { indexDamage.load(ordering: .relaxed) }

    /// The index found no room, but there is some now: opened again, it gets from the log what it lacks.
    var canIndexRecover: Bool {
        indexIsFull.load(ordering: .relaxed) && MetadataIndex.hasRoom(path: path + "/index")
    }

    // MARK: - Under the lock

    /// Does what a decision says and returns its answer when it may leave at once.
    func settle<Answer, Reply: Sendable>(
        _ decision: ReplicaDecision<ReplicaRecord, Answer>, _ name: RegisterName, _ state: inout State,
        blobs: [BlobPayload] = [], entry: LogEntry? = nil, value: RegisterValue? = nil,
        priority: AppendPriority = .content, answer: Result<Reply, StorageError>,
        _ completion: @escaping Completion<Reply>
    ) throws -> Held? {
        if let counter = decision.raiseCeiling { raiseCeiling(to: counter, &state) }
        if let append = decision.append, let entry, let value {
            try appendRegister(name, append.ticket, entry, value, blobs, priority, &state)
        }
        let answering: Held = { error in completion(error.map { .failure($0) } ?? answer) }
        let needsUnwrittenCeiling = decision.after.ceiling != nil && state.ceilingWanted != nil
        if let failure = state.failure ?? (needsUnwrittenCeiling ? .diskFull : nil), !decision.after.isNothing {
            return { _ in answering(failure) }
        }
        if PlantedBug.acknowledgeBeforeSync.isPlanted, decision.append != nil { return answering }
        return state.held.hold(answering, until: decision.after)
    }

    private func appendRegister(
        _ name: RegisterName, _ ticket: AppendTicket, _ entry: LogEntry, _ value: RegisterValue,
        _ blobs: [BlobPayload], _ priority: AppendPriority, _ state: inout State
    ) throws {
        do {
            let owner = BlobOwner(name: name, tag: value.tag)
            for blob in blobs { try appendBlob(blob, of: owner, urgency: .lazy, priority: priority, &state) }
            let position = try log.append(entry, priority: priority)
            let register = IndexedRegister(
                value: value, position: position.rawValue, recordSize: UInt32(entry.recordSize))
            state.queue.append(Queued(position: position, change: .register(name, register), tickets: [ticket]))
        } catch {
            // The machine counts on this append: without it, its memory is not what will be on the disk.
            state.failure = StorageError(error)
            throw error
        }
    }

    /// Content beside a register.
    func appendBlob(
        _ blob: BlobPayload, of owner: BlobOwner, urgency: Urgency, priority: AppendPriority = .content,
        _ state: inout State
    ) throws {
        let entry = LogEntry.blob(blob.id, of: owner, blob.content.bytes, checksum: blob.content.checksum)
        try appendContent(
            BlobKey(blob.id), blob.content, entry, owner: owner, urgency: urgency, priority: priority, answer: nil,
            &state)
    }

    /// `entry`: the record with this content.
    func appendContent(
        _ key: BlobKey, _ content: CheckedBytes, _ entry: LogEntry, owner: BlobOwner? = nil, urgency: Urgency,
        priority: AppendPriority = .content, answer: Held?, _ state: inout State
    ) throws {
        let position = try log.append(entry, urgency: urgency, priority: priority)
        state.blobs[key] = content
        let location = BlobLocation(
            position: position.rawValue, recordSize: UInt32(entry.recordSize),
            size: UInt32(content.bytes.readableBytes), checksum: content.checksum)
        state.queue.append(
            Queued(position: position, change: .blob(key, location, owner: owner), answer: answer))
    }

    func raiseCeiling(to counter: UInt64, _ state: inout State) {
        state.ceilingWanted = max(state.ceilingWanted ?? 0, counter)
        retryCeiling(&state)
    }

    private func retryCeiling(_ state: inout State) {
        guard let counter = state.ceilingWanted, state.failure == nil else { return }
        // Small, rare, and nobody can vote without it: it does not wait for segments that are being prepared.
        let entry = LogEntry.ceiling(counter)
        guard (try? log.hasRoom(entry.recordSize, priority: .compaction)) == true,
            (try? append(entry, urgency: .now, priority: .compaction, answer: nil, &state)) != nil
        else { return }
        state.ceilingWanted = nil
    }
}

// MARK: - Writer thread

extension DiskReplica: ObjectLogObserver {
    func logSynced(_ batch: SyncedBatch) {
        metrics.synced(batch)
        let durable = state.withLock { state in
            let count = state.queue.firstIndex { $0.position >= batch.end } ?? state.queue.count
            defer { state.queue.removeFirst(count) }
            return Array(state.queue[..<count])
        }
        do {
            let changes = durable.map(\.change)
            try digests.withLock { digests in
                digests.update(
                    try index.apply(changes, checkpoint: batch.end.rawValue, milliseconds: Self.wallMilliseconds))
                self.changes.withLock { tracked in
                    if tracked != nil { for change in changes { tracked?.note(change) } }
                }
            }
        } catch {
            if let error = error as? IndexError { note(error) }
            logger.critical("the index cannot be written", metadata: ["disk": "\(path)", "error": "\(error)"])
            return fail(.unavailable("index: \(error)"), with: durable)
        }
        noteHealed(durable.lazy.map(\.change))
        for answer in release(durable) { answer(nil) }
        let hints = durable.count { if case .hint = $0.change { true } else { false } }
        if hints > 0 { onHints(hints) }
    }

    /// The index shows these now: lets the machine forget them, and the answers go.
    private func release(_ durable: [Queued]) -> [Held] {
        state.withLock { state in
            var answers: [Held] = []
            for item in durable {
                for ticket in item.tickets {
                    state.replica.synced(ticket)
                    answers += state.held.synced(ticket)
                }
                switch item.change {
                case .ceiling(let counter, _):
                    state.replica.ceilingRaised(to: counter)
                    answers += state.held.ceilingRaised(to: counter)
                case .blob(let key, _, _): state.blobs[key] = nil
                case .purge(let purged, _, _): for item in purged { state.purging[item.name] = nil }
                default: break
                }
                if let answer = item.answer { answers.append(answer) }
            }
            generation.wrappingAdd(1, ordering: .releasing)
            return answers
        }
    }

    static var wallMilliseconds: Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    func logFailed(_ error: ObjectLogError) {
        logger.critical(
            "the disk takes no more writes until a restart", metadata: ["disk": "\(path)", "error": "\(error)"])
        fail(.unavailable(error.description), with: [])
    }

    /// From now on only reads of what is durable are answered.
    private func fail(_ error: StorageError, with items: [Queued]) {
        metrics.diskFailures.increment()
        let answers = state.withLock { state in
            state.failure = error
            let queued = items + state.queue
            state.queue = []
            return queued.compactMap(\.answer) + state.held.abandonAll()
        }
        for answer in answers { answer(.failed(error.description)) }
    }
}
