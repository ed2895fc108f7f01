import MetadataIndex
import Model
import Register
import Ring
import Synchronization

extension StorageEngine {
    // MARK: - Registers

    public func read(
        _ name: RegisterName, withBlob: Bool = false, inPlace: Bool = false, atHand: AtHand? = nil,
        _ completion: @escaping Completion<ReadResult>
    ) {
        on(slot(of: name), completion) { $0.read(name, withBlob: withBlob, inPlace: inPlace, atHand: atHand, $1) }
    }

    /// What memory has for a request; nil: it must be served by a thread that may wait.
    func atHand(_ name: RegisterName, withBlob: Bool = false, inPlace: Bool = false, room: Int = 0) -> AtHand? {
        guard case .success(let disk) = set.disk(ofSlot: slot(of: name)).disk.replica else { return nil }
        return disk.atHand(name, withBlob: withBlob, inPlace: inPlace, room: room)
    }

    /// Where a chunk stands; nil: it is small, or a device has to be asked.
    func cachedPlace(of name: ChunkName) -> ContentPlace? {
        guard case .success(let disk) = set.disk(ofSlot: slot(of: name)).disk.replica else { return nil }
        return disk.cachedPlace(of: BlobKey(name))
    }

    /// Phase 1, with a blob that a later commit will refer to. `needsRoom`: a full disk refuses.
    public func stage(
        _ name: RegisterName, _ ballot: Ballot, blob: BlobPayload? = nil, needsRoom: Bool = false,
        atHand: AtHand? = nil, _ completion: @escaping Completion<StageResult>
    ) {
        on(slot(of: name), completion) {
            $0.stage(name, ballot, blob: blob, needsRoom: needsRoom, atHand: atHand, $1)
        }
    }

    /// Phase 1, and phase 2 at once if the register holds nothing: then durable when it completes with `accepted`.
    public func stage(
        _ name: RegisterName, proposing state: ReplicaState, blob: BlobPayload? = nil, atHand: AtHand? = nil,
        _ completion: @escaping Completion<StageResult>
    ) {
        on(slot(of: name), completion) { $0.stage(name, proposing: state, blob: blob, atHand: atHand, $1) }
    }

    /// Phase 2: durable when it completes with `accepted`.
    public func commit(
        _ name: RegisterName, _ state: ReplicaState, blob: BlobPayload? = nil, atHand: AtHand? = nil,
        _ completion: @escaping Completion<CommitResult>
    ) {
        on(slot(of: name), completion) { $0.commit(name, state, blob: blob, atHand: atHand, $1) }
    }

    /// Installs a state that is known to be decided.
    public func learn(
        _ name: RegisterName, _ state: ReplicaState, blob: BlobPayload? = nil,
        _ completion: @escaping Completion<LearnResult>
    ) {
        on(slot(of: name), completion) { $0.learn(name, state, blob: blob, $1) }
    }

    // MARK: - Chunks

    /// `origin`: kept with the chunk; a time of 0 is now.
    public func putChunk(
        _ name: ChunkName, _ content: CheckedBytes, origin: ChunkOrigin? = nil, _ completion: @escaping Completion<Bool>
    ) {
        on(slot(of: name), completion) {
            $0.putChunk(
                name, content, owner: origin?.owner, writtenMilliseconds: origin?.writtenMilliseconds ?? 0, $1)
        }
    }

    /// `withOrigin`: the answer tells where the chunk comes from. `inPlace`: of a large one, where it stands is enough.
    public func chunk(
        _ name: ChunkName, offset: Int = 0, length: Int = 0, probe: Bool = false, withOrigin: Bool = false,
        inPlace: Bool = false
    ) throws(StorageError) -> ChunkAnswer {
        while true {
            let (disk, version) = set.disk(ofSlot: slot(of: name))
            do {
                return try disk.replica.get().chunk(
                    name, offset: offset, length: length, probe: probe, withOrigin: withOrigin, inPlace: inPlace)
            } catch {
                // What a disk does not have any more, another may have now.
                let isMoved = set.routing.version != version
                guard case .notFound = StorageError(error), isMoved else { throw StorageError(error) }
            }
        }
    }

    // MARK: - Hints

    /// They are kept on the first disk that takes writes.
    public func noteHints(_ hints: [[UInt8]], _ completion: @escaping Completion<Void>) {
        guard let disk = set.hintDisk() else { return completion(.failure(.unavailable("no disk takes hints"))) }
        disk.noteHints(hints, completion)
    }

    public func forgetHints(_ ids: [UInt64], _ completion: @escaping Completion<Void>) {
        let byDisk = Dictionary(grouping: ids.map { HintID($0) }, by: \.disk)
        let answers = JoinedCompletion(count: byDisk.count, completion)
        guard !byDisk.isEmpty else { return completion(.success(())) }
        for (number, ids) in byDisk {
            switch set.routing.disk(number)?.replica {
            case .success(let disk)?: disk.forgetHints(ids.map(\.position), answers.complete)
            case .failure(let error)? where set.table.disk(number)?.standing != .retired:
                answers.complete(.failure(error))
            // The disk is gone, and its hints with it.
            default: answers.complete(.success(()))
            }
        }
    }

    /// Those that can be read, in the order of their ids.
    public func hints(after: UInt64, limit: Int) throws -> [(id: UInt64, hint: [UInt8])] {
        let start = HintID(after)
        var page: [(id: UInt64, hint: [UInt8])] = []
        for disk in slots.sorted(by: { $0.number < $1.number }) where disk.number >= start.disk {
            guard page.count < limit, case .success(let replica) = disk.replica else { continue }
            let hints = try replica.index.hints(
                after: disk.number == start.disk ? start.position : 0, limit: limit - page.count)
            page += hints.map { (HintID(disk: disk.number, position: $0.id).rawValue, $0.hint) }
        }
        return page
    }

    public var hintCount: UInt64 { disks.reduce(0) { $0 + $1.index.hintCount } }

    // MARK: - Listing

    /// A page of a bucket over all disks, in order. Abstains when a disk is missing or cannot be trusted.
    public func list(_ query: IndexQuery) throws -> IndexPage {
        try withAllDisks { disks in
            guard disks.allSatisfy({ $0.replica.canBeTrusted($0.slots) }) else {
                throw StorageError.abstained("a disk of this node has lost records")
            }
            if disks.count == 1, disks[0].slots == nil { return try disks[0].replica.index.list(query) }
            let pages = try disks.map { disk in
                var query = query
                query.slots = disk.slots
                return try disk.replica.index.list(query)
            }
            return Self.merge(pages, limit: query.limit, query.direction)
        }
    }

    /// Keys stand on one disk each, common prefixes may stand on several. Behind the end of a truncated page the others
    /// say nothing about what that disk has: a prefix whose witness is there may have an earlier one, and comes later.
    static func merge(
        _ pages: [IndexPage], limit: Int, _ direction: ListDirection = .forward
    ) -> IndexPage {
        var page = IndexPage()
        page.end = pages.compactMap(\.end).min { $0.precedes($1, direction) }
        let sorted = pages.flatMap(\.entries).sorted { direction.precedes($0.key, $1.key) }
        for entry in sorted where page.end?.covers(entry.evidence, direction) ?? true {
            if case .commonPrefix(let prefix, let witness, _) = entry,
                case .commonPrefix(prefix, let first, _)? = page.entries.last
            {
                if direction.precedes(witness, first) { page.entries[page.entries.count - 1] = entry }
                continue
            }
            guard page.entries.count < limit else {
                page.end = page.entries.last?.position
                break
            }
            page.entries.append(entry)
        }
        return page
    }

    // MARK: - Comparison between replicas

    /// Digests of the node's partitions, by number. Throws `overloaded` while another request has them made.
    func digests(_ ring: RingTable) throws -> [PartitionDigests.Digest] {
        let scheme = PartitionScheme(ring: ring)
        return try withAllDisks { disks in
            var sum = scheme.empty
            for disk in disks {
                guard disk.replica.canBeTrusted(disk.slots) else {
                    throw StorageError.abstained("a disk of this node has lost records")
                }
                guard let digests = try disk.replica.partitionDigests(scheme) else { throw StorageError.overloaded }
                for index in digests.indices { sum[index].add(digests[index]) }
            }
            return sum
        }
    }

    /// Registers of some partitions behind a cursor, in the order of names, and the next cursor; nil: that was all. Looks
    /// at a bounded number of keys, so a page may be empty and not the last. Doubtful: a newer one may have been lost.
    public func registers(
        ofPartitions partitions: Set<Int>, ring: RingTable, after cursor: [UInt8]?, limit: Int
    ) throws -> (entries: [(name: RegisterName, tag: Ballot, isDoubtful: Bool)], next: [UInt8]?) {
        try page(after: cursor, limit: limit) { disk, slots, visit in
            try disk.index.registers(after: cursor).visit { name, tag in
                let key = name.indexKey
                let isWanted = partitions.contains(ring.partition(ofBytes: key)) && slots.counts(key)
                return visit(key, isWanted ? (name, tag, disk.isDoubtful(name)) : nil)
            }
        }
    }

    /// The same for chunks, in the order of blob and index.
    public func chunks(
        ofPartitions partitions: Set<Int>, ring: RingTable, after cursor: [UInt8]?, limit: Int
    ) throws -> (entries: [ChunkName], next: [UInt8]?) {
        try page(after: cursor, limit: limit) { disk, slots, visit in
            try disk.index.chunks(after: cursor.flatMap { BlobKey($0) }).visit { chunk in
                let isWanted = partitions.contains(ring.partition(of: chunk)) && slots.counts(chunk.ringKey)
                return visit(BlobKey(chunk).bytes, isWanted ? chunk : nil)
            }
        }
    }

    private static var keysPerScan: Int { 20_000 }

    /// Walks over all disks from the same key and puts what they have into one order. The cursor is the key up to which
    /// every disk was looked at.
    func page<Entry>(
        after cursor: [UInt8]?, limit: Int,
        _ walk: (DiskReplica, SlotSet?, _ visit: (_ key: [UInt8], Entry?) -> Bool) throws -> Void
    ) throws -> (entries: [Entry], next: [UInt8]?) {
        try withAllDisks { disks in
            var found: [(key: [UInt8], entry: Entry)] = []
            var end: [UInt8]?
            for disk in disks {
                var (looked, taken) = (0, 0)
                try walk(disk.replica, disk.slots) { key, entry in
                    looked += 1
                    if let entry {
                        taken += 1
                        found.append((key, entry))
                    }
                    guard looked >= Self.keysPerScan || taken >= limit else { return true }
                    end = Self.earlier(end, key)
                    return false
                }
            }
            found.sort { $0.key.lexicographicallyPrecedes($1.key) }
            if found.count > limit { end = Self.earlier(end, found[limit - 1].key) }
            if let end { found = Array(found.prefix { !end.lexicographicallyPrecedes($0.key) }) }
            return (found.map(\.entry), end)
        }
    }

    private static func earlier(_ a: [UInt8]?, _ b: [UInt8]) -> [UInt8] {
        if let a, a.lexicographicallyPrecedes(b) { a } else { b }
    }

    // MARK: - Common

    func slot(of name: RegisterName) -> Int { SlotSet.slot(ofKey: name.indexKey) }
    func slot(of chunk: ChunkName) -> Int { SlotSet.slot(ofKey: chunk.ringKey) }

    /// Asks the disk of a slot, and the next one when it gave the slot away meanwhile.
    private func on<Answer: Sendable>(
        _ slot: Int, _ completion: @escaping Completion<Answer>,
        _ body: @escaping @Sendable (DiskReplica, @escaping Completion<Answer>) -> Void
    ) {
        let (disk, version) = set.disk(ofSlot: slot)
        switch disk.replica {
        case .failure(let error): completion(.failure(error))
        case .success(let replica):
            body(replica) { answer in
                guard case .failure(.moved) = answer else { return completion(answer) }
                self.set.park(SlotSet([slot]), version: version) { error in
                    if let error { completion(.failure(error)) } else { self.on(slot, completion, body) }
                }
            }
        }
    }
}

extension DiskReplica {
    /// Whether this entry is older than a loss of records.
    fileprivate func isDoubtful(_ name: RegisterName) -> Bool {
        guard index.hasDoubt else { return false }
        let doubt = index.doubt(ofSlot: SlotSet.slot(ofKey: name.indexKey))
        return doubt != 0 && (try? index.register(name)?.position).flatMap { $0 } ?? 0 < doubt
    }

    /// Whether nothing of these slots may be missing or old.
    func canBeTrusted(_ slots: SlotSet?) -> Bool {
        guard index.hasDoubt else { return true }
        return index.doubted.intersection(slots ?? .all).isEmpty
    }
}

extension SlotSet? {
    /// Whether a key of the index is one of the slots; nil: each is.
    func counts(_ key: @autoclosure () -> [UInt8]) -> Bool {
        map { $0.contains(SlotSet.slot(ofKey: key())) } ?? true
    }
}

/// One answer for several: the first failure, or success when all have come.
private final class JoinedCompletion: Sendable {
    private let left: Mutex<Int>
    private let completion: Completion<Void>

    init(count: Int, _ completion: @escaping Completion<Void>) {
        left = Mutex(count)
        self.completion = completion
    }

    var complete: Completion<Void> {
        { answer in
            let isLast = self.left.withLock { left in
                guard left > 0 else { return false }
                left = if case .failure = answer { 0 } else { left - 1 }
                return left == 0
            }
            if isLast { self.completion(answer) }
        }
    }
}
