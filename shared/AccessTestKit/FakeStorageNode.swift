import Checksums
import Model
import NIOCore
import ObjectAccess
import Register
import Ring
import Wire

/// A storage node in memory: the real acceptor over dictionaries instead of a log and an index. Every append is
/// durable at once.
public struct FakeStorageNode: Sendable {
    public typealias State = RegisterState<StoredRecord>
    public typealias Reply = (body: [UInt8], payload: [ByteBuffer])

    public struct Refusal: Error {
        public var status: Status
    }

    public struct ChunkOwner: Sendable, Equatable {
        public var register: Model.RegisterName?
        /// As it was told: 0 from the first writer.
        public var writtenMilliseconds: Int64

        public init(register: Model.RegisterName?, writtenMilliseconds: Int64) {
            self.register = register
            self.writtenMilliseconds = writtenMilliseconds
        }
    }

    public var registers: [Model.RegisterName: State] = [:]
    public var blobs: [BlobID: ByteBuffer] = [:]
    public var chunks: [ChunkName: ByteBuffer] = [:]
    /// Where blobs beside registers stand and what their checksum is, as it tells those who ask for places.
    public var places: [BlobID: (place: LogPlace, checksum: UInt32)] = [:]
    /// The same of chunks.
    public var chunkPlaces: [ChunkName: (place: LogPlace, checksum: UInt32)] = [:]
    /// Of the chunks that came with PUT_CHUNK.
    public var chunkOwners: [ChunkName: ChunkOwner] = [:]
    /// Never taken again.
    public var droppedChunks: Set<ChunkName> = []
    public var hints: [UInt64: Hint] = [:]
    /// What it cannot read, by the id of the item: content of chunks and of blobs beside registers.
    public var damage: [UInt64: DamagedItem] = [:]
    /// What its registers no longer refer to, as FETCH_RELEASES tells it.
    public var releases: [Release] = []
    /// Refuses everything with this.
    public var refusing: Status?
    /// Has no room for content: refuses what would store some, and nothing else.
    public var isFull = false
    /// Forgets staged blobs at once, as a node does whose memory for them is full.
    public var dropsStagedBlobs = false
    /// Keys that it looks at for one answer to LIST.
    public var listingLookedAtMax = Int.max

    var staged: [BlobID: ByteBuffer] = [:]
    var lastHint: UInt64 = 0
    var replica = RegisterReplica<Model.RegisterName, StoredRecord>(ceiling: 0)
    /// Names one loss of memory; 0: it remembers everything.
    var doubtPosition: UInt64 = 0
    /// Got since the loss.
    var taught = Set<Model.RegisterName>()
    /// The highest counter that it was told will be in use.
    var noted: UInt64 = 0

    public init() {}

    /// Loses memory: promises, staged blobs.
    public mutating func restart() {
        replica = RegisterReplica(ceiling: replica.ceiling, isDoubtful: doubtPosition != 0, floor: replica.floor)
        staged = [:]
    }

    mutating func handle(
        _ type: MessageType, _ body: [UInt8], _ payload: [ByteBuffer], ring: RingTable
    ) throws -> Reply {
        if let refusing { throw Refusal(status: refusing) }
        switch type {
        case .read: return try read(.init(decoding: body))
        case .stage: return try stage(.init(decoding: body), payload)
        case .commit: return try commit(.init(decoding: body), payload)
        case .learn: return try learn(.init(decoding: body), payload)
        case .list: return try list(.init(decoding: body))
        case .putChunk: return try putChunk(.init(decoding: body), payload)
        case .getChunk: return try getChunk(.init(decoding: body))
        case .dropChunks: return try dropChunks(.init(decoding: body))
        case .noteHint: return try noteHint(.init(decoding: body))
        case .fetchHints: return try fetchHints(.init(decoding: body))
        case .forgetHints: return try forgetHints(.init(decoding: body))
        case .fetchDamage: return try fetchDamage(.init(decoding: body))
        case .fetchReleases: return try fetchReleases(.init(decoding: body))
        case .forgetReleases: return try forgetReleases(.init(decoding: body))
        case .digestPartitions: return try digest(.init(decoding: body), ring)
        case .listPartition: return try listPartition(.init(decoding: body), ring)
        case .fetchDoubts: return fetchDoubts()
        case .fence: return try fence(.init(decoding: body))
        case .trust: return try trust(.init(decoding: body))
        case .fetchTombstones: return try fetchTombstones(.init(decoding: body), ring)
        case .purge: return try purge(.init(decoding: body), ring)
        case .raiseFloor: return raiseFloor(try .init(decoding: body))
        default: throw Refusal(status: .unknownType)
        }
    }

    // MARK: - Registers

    func durable(_ name: Model.RegisterName) -> DurableState<StoredRecord> {
        isDoubtful(name) ? .doubtful : registers[name].map { .found($0) } ?? .absent
    }

    func named(_ name: Wire.RegisterName?) throws -> Model.RegisterName {
        guard let name = Model.RegisterName(name) else { throw Refusal(status: .malformed) }
        return name
    }

    mutating func act<Answer>(
        _ name: Model.RegisterName, _ decision: ReplicaDecision<StoredRecord, Answer>
    ) -> Answer {
        if let append = decision.append {
            registers[name] = append.state
            taught.insert(name)
            for blob in append.state.record?.blobs ?? [] {
                if let bytes = staged.removeValue(forKey: blob) { blobs[blob] = bytes }
            }
            replica.synced(append.ticket)
        }
        if let purge = decision.purge {
            registers[name] = nil
            replica.synced(purge.ticket)
        }
        if let ceiling = decision.raiseCeiling { replica.ceilingRaised(to: ceiling) }
        return decision.answer
    }

    private mutating func read(_ request: ReadRequest) throws -> Reply {
        let name = try named(request.name)
        let decision = replica.read(name, stored: durable(name))
        guard case .state(let state) = decision.answer else { throw Refusal(status: .abstained) }
        var reply = ReadReply(state: state?.stored, counter: decision.counter)
        guard request.withBlob, let blob = state?.blob, let bytes = blobs[blob], !isDamaged(blob) else {
            return (reply.encoded(), [])
        }
        reply.blob = blob.bytes
        if request.inPlace, let (place, checksum) = places[blob] {
            (reply.place, reply.blobCrc32c) = (place, checksum)
            return (reply.encoded(), [])
        }
        reply.blobCrc32c = crc32c(bytes)
        return (reply.encoded(), [bytes])
    }

    private mutating func stage(_ request: StageRequest, _ payload: [ByteBuffer]) throws -> Reply {
        let name = try named(request.name)
        if isFull, request.needsRoom { throw Refusal(status: .diskFull) }
        try keep(request.blob, request.blobCrc32c, payload)
        if dropsStagedBlobs { staged = [:] }
        var reply = StageReply()
        let decision =
            if let proposal = try request.proposal.map({ try State($0) }) {
                replica.stage(name, proposing: proposal, stored: durable(name), hasBlobs: hasBlobs(of: proposal))
            } else {
                replica.stage(name, ballot: Ballot(request.ballot), stored: durable(name))
            }
        reply.counter = decision.counter
        switch act(name, decision) {
        case .accepted: (reply.promised, reply.accepted) = (true, true)
        case .promised(let state):
            reply.promised = true
            reply.state = state?.stored
            reply.chainBase = decision.base
        case .refused(let state, let promise):
            reply.state = state?.stored
            reply.promise = BallotNumber(promise)
        case .abstained: throw Refusal(status: .abstained)
        }
        return (reply.encoded(), [])
    }

    private mutating func commit(_ request: CommitRequest, _ payload: [ByteBuffer]) throws -> Reply {
        let name = try named(request.name)
        try keep(request.blob, request.blobCrc32c, payload)
        let state = try State(request.state ?? StoredState())
        if isFull, state.isLive, registers[name]?.record != state.record { throw Refusal(status: .diskFull) }
        let decision = replica.commit(name, state, stored: durable(name), hasBlobs: hasBlobs(of: state))
        var reply = CommitReply(counter: decision.counter)
        switch act(name, decision) {
        case .accepted: reply.outcome = .accepted
        case .refused(let promise):
            reply.outcome = .refused
            reply.promise = BallotNumber(promise)
        case .blobMissing: reply.outcome = .blobMissing
        case .abstained: throw Refusal(status: .abstained)
        }
        return (reply.encoded(), [])
    }

    private mutating func learn(_ request: LearnRequest, _ payload: [ByteBuffer]) throws -> Reply {
        let name = try named(request.name)
        try keep(request.blob, request.blobCrc32c, payload)
        let state = try State(request.state ?? StoredState())
        let decision = replica.learn(name, state, stored: durable(name), hasBlobs: hasBlobs(of: state))
        if let blob = BlobID(request.blob) { heal { $0.blob == blob.bytes && !$0.chunk } }
        let outcome: LearnOutcome =
            switch act(name, decision) {
            case .learned: .learned
            case .known: .known
            case .blobMissing: .learnBlobMissing
            case .tooOld: .learnTooOld
            case .abstained: throw Refusal(status: .abstained)
            }
        return (LearnReply(outcome: outcome, counter: decision.counter).encoded(), [])
    }

    private func hasBlobs(of state: State) -> Bool {
        (state.record?.blobs ?? []).allSatisfy { blobs[$0] != nil || staged[$0] != nil }
    }

    private mutating func keep(_ blob: [UInt8], _ checksum: UInt32, _ payload: [ByteBuffer]) throws {
        guard !blob.isEmpty else { return }
        guard let id = BlobID(blob), let bytes = payload.first, crc32c(bytes) == checksum else {
            throw Refusal(status: .malformed)
        }
        staged[id] = bytes
    }
}
