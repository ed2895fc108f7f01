import MetadataIndex
import Model
import Ring

/// Digest of each partition: over its registers an exclusive or of a hash of name and tag, the same over its chunks.
///
/// Nothing is kept until somebody asks. Then one scan of a snapshot makes the digests; what changes meanwhile waits, and
/// from then on each change costs two hashes. They are not stored, so a crash cannot make them wrong.
struct PartitionDigests {
    struct Digest: Sendable, Equatable {
        var registers: UInt64 = 0
        var registerCount: UInt64 = 0
        var chunks: UInt64 = 0
        var chunkCount: UInt64 = 0

        mutating func add(_ other: Digest) {
            registers ^= other.registers
            registerCount &+= other.registerCount
            chunks ^= other.chunks
            chunkCount &+= other.chunkCount
        }
    }

    private enum State {
        case none
        case building(PartitionScheme, waiting: [AppliedChanges])
        case ready(PartitionScheme, [Digest])
    }

    private var state = State.none
    /// Keys of other slots are not counted; nil: all are.
    private(set) var owned: SlotSet?

    /// The disk answers for other slots than before: what is known or being made is void.
    mutating func setOwned(_ slots: SlotSet) {
        owned = slots == .all ? nil : slots
        state = .none
    }

    func counts(_ key: @autoclosure () -> [UInt8]) -> Bool { owned?.contains(SlotSet.slot(ofKey: key())) ?? true }

    /// The digests, when they are known for this scheme.
    func digests(for scheme: PartitionScheme) -> [Digest]? {
        guard case .ready(scheme, let digests) = state else { return nil }
        return digests
    }

    var isBuilding: Bool { if case .building = state { true } else { false } }

    /// To be called in one critical section with taking the snapshot.
    mutating func begin(_ scheme: PartitionScheme) { state = .building(scheme, waiting: []) }

    mutating func abandon() { state = .none }

    /// The digests of the snapshot are known: what came later is added.
    mutating func finish(_ digests: [Digest]) {
        guard case .building(let scheme, let waiting) = state else { return }
        state = .ready(scheme, digests)
        for changes in waiting { update(changes) }
    }

    mutating func update(_ changes: AppliedChanges) {
        switch state {
        case .none: break
        case .building(let scheme, var waiting):
            state = .none
            waiting.append(changes)
            state = .building(scheme, waiting: waiting)
        case .ready(let scheme, var digests):
            state = .none
            for change in changes.registers where counts(change.name.indexKey) { scheme.apply(change, to: &digests) }
            for chunk in changes.chunks where counts(chunk.ringKey) { scheme.add(chunk, to: &digests) }
            for chunk in changes.droppedChunks where counts(chunk.ringKey) { scheme.remove(chunk, from: &digests) }
            state = .ready(scheme, digests)
        }
    }
}

/// How keys are cut into partitions: the part of a ring that never changes.
struct PartitionScheme: Sendable, Equatable {
    let ring: RingTable

    /// Any fixed key: all replicas must use the same.
    private static let hash = PositionHash(key: Array("martlet digest 1".utf8))!

    static func == (a: Self, b: Self) -> Bool {
        a.ring.hashKey == b.ring.hashKey && a.ring.partitionCount == b.ring.partitionCount
    }

    var empty: [PartitionDigests.Digest] { Array(repeating: .init(), count: ring.partitionCount) }

    func add(_ name: RegisterName, _ tag: Ballot, to digests: inout [PartitionDigests.Digest]) {
        let partition = ring.partition(of: name)
        digests[partition].registers ^= Self.hash(name, tag)
        digests[partition].registerCount += 1
    }

    func add(_ chunk: ChunkName, to digests: inout [PartitionDigests.Digest]) {
        let partition = ring.partition(of: chunk)
        digests[partition].chunks ^= Self.hash.position(chunk.ringKey)
        digests[partition].chunkCount += 1
    }

    func remove(_ chunk: ChunkName, from digests: inout [PartitionDigests.Digest]) {
        let partition = ring.partition(of: chunk)
        digests[partition].chunks ^= Self.hash.position(chunk.ringKey)
        digests[partition].chunkCount &-= 1
    }

    func apply(_ change: AppliedChanges.Transition, to digests: inout [PartitionDigests.Digest]) {
        let partition = ring.partition(of: change.name)
        if let old = change.old {
            digests[partition].registers ^= Self.hash(change.name, old)
            digests[partition].registerCount &-= 1
        }
        if let new = change.new {
            digests[partition].registers ^= Self.hash(change.name, new)
            digests[partition].registerCount &+= 1
        }
    }

    private static func hash(_ name: RegisterName, _ tag: Ballot) -> UInt64 {
        var bytes = name.indexKey
        bytes.appendNumber(tag.counter)
        bytes.appendNumber(tag.writer)
        return hash.position(bytes)
    }
}

extension DiskReplica {
    /// The digests of every partition on this disk. nil: they are being made for somebody else.
    func partitionDigests(_ scheme: PartitionScheme) throws -> [PartitionDigests.Digest]? {
        enum Plan { case known([PartitionDigests.Digest]), wait, scan(RegisterScan, ChunkScan, SlotSet?) }
        let plan = digests.withLock { digests -> Plan in
            if let known = digests.digests(for: scheme) { return .known(known) }
            if digests.isBuilding { return .wait }
            digests.begin(scheme)
            return .scan(index.registers(), index.chunks(), digests.owned)
        }
        switch plan {
        case .known(let known): return known
        case .wait: return nil
        case .scan(let registers, let chunks, let owned):
            do {
                var made = scheme.empty
                try registers.visit { name, tag in
                    if owned?.contains(SlotSet.slot(ofKey: name.indexKey)) ?? true { scheme.add(name, tag, to: &made) }
                    return true
                }
                try chunks.visit { chunk in
                    if owned?.contains(SlotSet.slot(ofKey: chunk.ringKey)) ?? true { scheme.add(chunk, to: &made) }
                    return true
                }
                return digests.withLock { digests in
                    digests.finish(made)
                    return digests.digests(for: scheme)
                }
            } catch {
                digests.withLock { $0.abandon() }
                throw error
            }
        }
    }
}
