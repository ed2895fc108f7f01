import MessageBus
import MetadataIndex
import Model
import NIOCore
import Register
import Ring
import Wire

/// Translates messages into calls of the engine and its answers into messages. Runs on worker threads, and on the bus
/// thread for what can be served from memory.
struct RequestDispatcher: Sendable {
    let engine: StorageEngine
    /// The ring in force; nil: there is none yet.
    let ring: @Sendable () -> RingTable?
    let gate: RingGate

    /// Types that only make sense with the ring that the sender planned with, or a later one.
    static let needsRing: Set<MessageType> = [
        .read, .stage, .commit, .learn, .list, .putChunk, .getChunk, .dropChunks, .adoptRing,
        .purge,
    ]

    /// Content that the bus thread takes in one request: more keeps it from others for too long.
    static let payloadAtOnce = 64 << 10

    /// Serves a request if that takes no waiting for a device. False: nothing was done.
    func serveAtOnce(_ request: IncomingRequest, _ responder: Responder) -> Bool {
        guard gate.isNoted, request.payload.allSatisfy({ $0.readableBytes <= Self.payloadAtOnce }) else { return false }
        do {
            switch request.type {
            case .read: return try read(request, responder, atOnce: true)
            case .stage: return try stage(request, responder, atOnce: true)
            case .commit: return try commit(request, responder, atOnce: true)
            case .getChunk: return try getChunk(request, responder, atOnce: true)
            default: return false
            }
        } catch {
            refuse(responder, error)
            return true
        }
    }

    func serve(_ request: IncomingRequest, _ responder: Responder) {
        do {
            switch request.type {
            case .read: _ = try read(request, responder, atOnce: false)
            case .stage: _ = try stage(request, responder, atOnce: false)
            case .commit: _ = try commit(request, responder, atOnce: false)
            case .learn: try learn(request, responder)
            case .list: try list(request, responder)
            case .putChunk: try putChunk(request, responder)
            case .getChunk: _ = try getChunk(request, responder, atOnce: false)
            case .dropChunks: try dropChunks(request, responder)
            case .fetchReleases: try fetchReleases(request, responder)
            case .forgetReleases: try forgetReleases(request, responder)
            case .noteHint: try noteHint(request, responder)
            case .fetchHints: try fetchHints(request, responder)
            case .forgetHints: try forgetHints(request, responder)
            case .digestPartitions: try digestPartitions(request, responder)
            case .listPartition: try listPartition(request, responder)
            case .fetchDamage: try fetchDamage(request, responder)
            case .fetchDoubts: try fetchDoubts(request, responder)
            case .fence: try fence(request, responder)
            case .trust: try trust(request, responder)
            case .adoptRing: try adoptRing(request, responder)
            case .fetchTombstones: try fetchTombstones(request, responder)
            case .purge: try purge(request, responder)
            case .raiseFloor: try raiseFloor(request, responder)
            case .fetchUsage: try fetchUsage(request, responder)
            default: responder.fail(.unknownType, "a storage node does not serve \(request.type)")
            }
        } catch { refuse(responder, error) }
    }

    private func refuse(_ responder: Responder, _ error: any Error) {
        if let error = error as? BusError { return responder.fail(error) }
        let error = StorageError(error)
        responder.fail(error.status, error.description)
    }

    // MARK: - Listing

    private func list(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(ListRequest.self)
        guard let bucket = BucketID(message.bucket), let number = UInt8(exactly: message.keyspace),
            let keyspace = Keyspace(rawValue: number), message.limit > 0
        else { throw BusError(.malformed, "bucket, keyspace or limit") }
        let responder = try gate.admit(request, responder)
        let page = try engine.list(
            IndexQuery(
                bucket: bucket, keyspace: keyspace, prefix: message.prefix, after: message.after,
                afterIsPrefix: message.afterIsPrefix, until: message.until,
                direction: message.backwards ? .backward : .forward, delimiter: message.delimiter,
                limit: min(Int(message.limit), 2 * Limits.listKeysMax), liveOnly: message.liveOnly))
        let entries = page.entries.map { entry in
            switch entry {
            case .commonPrefix(let prefix, let witness, let tag):
                ListEntry(key: prefix, commonPrefix: true, witness: witness, tag: BallotNumber(tag))
            case .register(let key, let value):
                ListEntry(
                    key: key, tag: BallotNumber(value.tag), deleted: !value.isLive, summary: value.summary,
                    record: message.withRecords ? value.record ?? [] : [])
            }
        }
        responder.reply(
            ListReply(
                entries: entries, truncated: page.isTruncated, end: page.end?.key ?? [],
                endIsPrefix: page.end?.isPrefix ?? false))
    }

    // MARK: - Hints

    private func noteHint(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(NoteHintRequest.self)
        guard message.hints.count <= 10_000 else { throw BusError(.tooLarge, "too many hints at once") }
        engine.noteHints(message.hints.map { $0.encoded() }) { result in
            responder.answer(result) { responder.reply(NoteHintReply()) }
        }
    }

    private func fetchHints(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(FetchHintsRequest.self)
        var reply = FetchHintsReply(total: engine.hintCount)
        var after = message.after
        let limit = min(max(1, Int(message.limit)), 10_000)
        scanning: while true {
            let page = try engine.hints(after: after, limit: limit)
            for (id, bytes) in page {
                after = id
                guard var hint = try? Hint(decoding: bytes) else { continue }
                guard message.missed.isEmpty || hint.missed == message.missed else { continue }
                hint.id = id
                reply.hints.append(hint)
                if reply.hints.count == limit { break scanning }
            }
            if page.count < limit { break }
        }
        responder.reply(reply)
    }

    private func forgetHints(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(ForgetHintsRequest.self)
        engine.forgetHints(message.ids) { result in
            responder.answer(result) { responder.reply(ForgetHintsReply()) }
        }
    }

    // MARK: - Comparison

    private func digestPartitions(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(DigestPartitionsRequest.self)
        let digests = try engine.digests(try currentRing())
        let wanted = message.partitions.isEmpty ? Array(digests.indices) : message.partitions.map(Int.init)
        let answer = wanted.filter(digests.indices.contains).map { index in
            PartitionDigest(
                partition: UInt32(index), digest: digests[index].registers, registers: digests[index].registerCount,
                chunks: digests[index].chunkCount, chunkDigest: digests[index].chunks)
        }
        responder.reply(DigestPartitionsReply(digests: answer))
    }

    private func listPartition(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(ListPartitionRequest.self)
        let ring = try currentRing()
        let cursor = message.after.isEmpty ? nil : message.after
        let limit = min(max(1, Int(message.limit)), 10_000)
        let partitions = Set(([message.partition] + message.partitions).map(Int.init))
        if message.chunks {
            let (chunks, next) = try engine.chunks(ofPartitions: partitions, ring: ring, after: cursor, limit: limit)
            let entries = chunks.map { PartitionEntry(blob: $0.blob.bytes, index: $0.index) }
            return responder.reply(ListPartitionReply(entries: entries, cursor: next ?? []))
        }
        let (registers, next) = try engine.registers(ofPartitions: partitions, ring: ring, after: cursor, limit: limit)
        let entries = registers.map { name, tag, isDoubtful in
            PartitionEntry(name: Wire.RegisterName(name), tag: BallotNumber(tag), doubtful: isDoubtful)
        }
        responder.reply(ListPartitionReply(entries: entries, cursor: next ?? []))
    }

    private func fetchDamage(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(FetchDamageRequest.self)
        let page = engine.damaged(after: message.after, limit: min(max(1, Int(message.limit)), 10_000))
        responder.reply(FetchDamageReply(items: page.items.map(DamagedItem.init), total: UInt64(page.total)))
    }

    private func adoptRing(_ request: IncomingRequest, _ responder: Responder) throws {
        let epoch = try gate.adopt(try request.decoded(AdoptRingRequest.self).epoch)
        responder.reply(AdoptRingReply(epoch: epoch))
    }

    // MARK: - Parts of messages

    func currentRing() throws(BusError) -> RingTable {
        guard let ring = ring() else { throw BusError(.unavailable, "this node has no ring yet") }
        return ring
    }

    func name(_ message: Wire.RegisterName?) throws(BusError) -> Model.RegisterName {
        guard let name = Model.RegisterName(message) else { throw BusError(.malformed, "no register name") }
        return name
    }

    func chunk(_ blob: [UInt8], _ index: UInt32) throws(BusError) -> ChunkName {
        guard let blob = BlobID(blob) else { throw BusError(.malformed, "no blob id") }
        return ChunkName(blob: blob, index: index)
    }

    func singlePayload(_ request: IncomingRequest) throws(BusError) -> ByteBuffer {
        guard request.payload.count <= 1 else { throw BusError(.malformed, "more than one payload") }
        return request.payload.first ?? ByteBuffer()
    }
}

extension Responder {
    func answer<Answer>(_ result: Result<Answer, StorageError>, _ reply: (Answer) -> Void) {
        switch result {
        case .success(let answer): reply(answer)
        case .failure(let error): fail(error.status, error.description)
        }
    }
}
