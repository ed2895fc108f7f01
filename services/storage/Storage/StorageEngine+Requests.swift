import MetadataIndex
import Model
import Register
import Ring

extension StorageEngine {
    // MARK: - Registers

    public func read(
        _ name: RegisterName, withBlob: Bool = false, _ completion: @escaping Completion<ReadResult>
    ) {
        on(completion, { () throws(StorageError) in try disk(of: name) }) {
            $0.read(name, withBlob: withBlob, completion)
        }
    }

    /// Phase 1, with a blob that a later commit will refer to.
    public func stage(
        _ name: RegisterName, _ ballot: Ballot, blob: BlobPayload? = nil,
        _ completion: @escaping Completion<StageResult>
    ) {
        on(completion, { () throws(StorageError) in try disk(of: name) }) {
            $0.stage(name, ballot, blob: blob, completion)
        }
    }

    /// Phase 2: durable when it completes with `accepted`.
    public func commit(
        _ name: RegisterName, _ state: ReplicaState, blob: BlobPayload? = nil,
        _ completion: @escaping Completion<CommitResult>
    ) {
        on(completion, { () throws(StorageError) in try disk(of: name) }) {
            $0.commit(name, state, blob: blob, completion)
        }
    }

    /// Installs a state that is known to be decided.
    public func learn(
        _ name: RegisterName, _ state: ReplicaState, blob: BlobPayload? = nil,
        _ completion: @escaping Completion<LearnResult>
    ) {
        on(completion, { () throws(StorageError) in try disk(of: name) }) {
            $0.learn(name, state, blob: blob, completion)
        }
    }

    // MARK: - Chunks

    /// `origin`: kept with the chunk; a time of 0 is now.
    public func putChunk(
        _ name: ChunkName, _ content: CheckedBytes, origin: ChunkOrigin? = nil, _ completion: @escaping Completion<Bool>
    ) {
        on(completion, { () throws(StorageError) in try disk(of: name) }) {
            $0.putChunk(
                name, content, owner: origin?.owner, writtenMilliseconds: origin?.writtenMilliseconds ?? 0, completion)
        }
    }

    /// `withOrigin`: the answer tells where the chunk comes from.
    public func chunk(
        _ name: ChunkName, offset: Int = 0, length: Int = 0, probe: Bool = false, withOrigin: Bool = false
    ) throws(StorageError) -> ChunkAnswer {
        let disk = try disk(of: name)
        do {
            return try disk.chunk(name, offset: offset, length: length, probe: probe, withOrigin: withOrigin)
        } catch { throw StorageError(error) }
    }

    // MARK: - Hints

    /// They are kept on the first disk.
    public func noteHints(_ hints: [[UInt8]], _ completion: @escaping Completion<Void>) {
        on(completion, { () throws(StorageError) in try hintDisk }) { $0.noteHints(hints, completion) }
    }

    public func forgetHints(_ ids: [UInt64], _ completion: @escaping Completion<Void>) {
        on(completion, { () throws(StorageError) in try hintDisk }) { $0.forgetHints(ids, completion) }
    }

    public func hints(after: UInt64, limit: Int) throws -> [(id: UInt64, hint: [UInt8])] {
        try hintDisk.index.hints(after: after, limit: limit)
    }

    public var hintCount: UInt64 { (try? hintDisk.index.hintCount) ?? 0 }

    private var hintDisk: DiskReplica { get throws(StorageError) { try slots[0].replica.get() } }

    // MARK: - Listing

    /// A page of a bucket over all disks, in order. Abstains when a disk is missing or cannot be trusted.
    public func list(_ query: IndexQuery) throws -> IndexPage {
        let disks = try allDisks()
        guard disks.allSatisfy({ $0.index.doubt == 0 }) else {
            throw StorageError.abstained("a disk of this node has lost records")
        }
        if disks.count == 1 { return try disks[0].index.list(query) }
        return Self.merge(try disks.map { try $0.index.list(query) }, limit: query.limit)
    }

    /// Keys stand on one disk each, common prefixes may stand on several. Behind the end of a truncated page the others
    /// say nothing about what that disk has.
    static func merge(_ pages: [IndexPage], limit: Int) -> IndexPage {
        let end = pages.filter(\.isTruncated).compactMap { $0.entries.last?.key }
            .min { $0.lexicographicallyPrecedes($1) }
        var page = IndexPage()
        page.isTruncated = end != nil
        let sorted = pages.flatMap(\.entries).sorted { $0.key.lexicographicallyPrecedes($1.key) }
        for entry in sorted {
            if let end, end.lexicographicallyPrecedes(entry.key) { break }
            if case .commonPrefix(let prefix, let witness, _) = entry,
                case .commonPrefix(prefix, let first, _)? = page.entries.last
            {
                if witness.lexicographicallyPrecedes(first) { page.entries[page.entries.count - 1] = entry }
                continue
            }
            guard page.entries.count < limit else {
                page.isTruncated = true
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
        var sum = scheme.empty
        for disk in try allDisks() {
            guard let digests = try disk.partitionDigests(scheme) else { throw StorageError.overloaded }
            for index in digests.indices { sum[index].add(digests[index]) }
        }
        return sum
    }

    /// Registers of some partitions behind a cursor, in the order of names, and the next cursor; nil: that was all. Looks
    /// at a bounded number of keys, so a page may be empty and not the last.
    public func registers(
        ofPartitions partitions: Set<Int>, ring: RingTable, after cursor: [UInt8]?, limit: Int
    ) throws -> (entries: [(name: RegisterName, tag: Ballot)], next: [UInt8]?) {
        try page(after: cursor, limit: limit) { disk, visit in
            try disk.index.registers(after: cursor).visit { name, tag in
                let key = name.indexKey
                return visit(key, partitions.contains(ring.partition(ofBytes: key)) ? (name, tag) : nil)
            }
        }
    }

    /// The same for chunks, in the order of blob and index.
    public func chunks(
        ofPartitions partitions: Set<Int>, ring: RingTable, after cursor: [UInt8]?, limit: Int
    ) throws -> (entries: [ChunkName], next: [UInt8]?) {
        try page(after: cursor, limit: limit) { disk, visit in
            try disk.index.chunks(after: cursor.flatMap { BlobKey($0) }).visit { chunk in
                visit(BlobKey(chunk).bytes, partitions.contains(ring.partition(of: chunk)) ? chunk : nil)
            }
        }
    }

    private static var keysPerScan: Int { 20_000 }

    /// Walks over all disks from the same key and puts what they have into one order. The cursor is the key up to which
    /// every disk was looked at.
    private func page<Entry>(
        after cursor: [UInt8]?, limit: Int,
        _ walk: (DiskReplica, _ visit: (_ key: [UInt8], Entry?) -> Bool) throws -> Void
    ) throws -> (entries: [Entry], next: [UInt8]?) {
        var found: [(key: [UInt8], entry: Entry)] = []
        var end: [UInt8]?
        for disk in try allDisks() {
            var (looked, taken) = (0, 0)
            try walk(disk) { key, entry in
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

    private static func earlier(_ a: [UInt8]?, _ b: [UInt8]) -> [UInt8] {
        if let a, a.lexicographicallyPrecedes(b) { a } else { b }
    }

    // MARK: - Common

    private func on<Answer>(
        _ completion: Completion<Answer>, _ disk: () throws(StorageError) -> DiskReplica, _ body: (DiskReplica) -> Void
    ) {
        do throws(StorageError) { body(try disk()) } catch { completion(.failure(error)) }
    }
}
