import MessageBus
import MetadataIndex
import Model
import NIOCore
import Register
import Ring
import Wire

/// Translates messages into calls of the engine and its answers into messages. Runs on worker threads.
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

    func serve(_ request: IncomingRequest, _ responder: Responder) {
        do {
            switch request.type {
            case .read: try read(request, responder)
            case .stage: try stage(request, responder)
            case .commit: try commit(request, responder)
            case .learn: try learn(request, responder)
            case .list: try list(request, responder)
            case .putChunk: try putChunk(request, responder)
            case .getChunk: try getChunk(request, responder)
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
            default: responder.fail(.unknownType, "a storage node does not serve \(request.type)")
            }
        } catch let error as BusError {
            responder.fail(error)
        } catch {
            let error = StorageError(error)
            responder.fail(error.status, error.description)
        }
    }

    // MARK: - Registers

    private func read(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(ReadRequest.self)
        let name = try self.name(message.name)
        let responder = try gate.admit(request, responder) { $0.partition(of: name) }
        engine.read(name, withBlob: message.withBlob) { result in
            responder.answer(result) { answer in
                let content = answer.blob?.content
                let reply = ReadReply(
                    state: answer.state?.stored, blob: answer.blob?.id.bytes ?? [], counter: answer.counter,
                    blobCrc32c: content?.checksum ?? 0)
                responder.reply(reply, payload: content.map { [$0.bytes] } ?? [])
            }
        }
    }

    private func stage(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(StageRequest.self)
        let blob = try payload(message.blob, message.blobCrc32c, request)
        guard let ballot = Ballot(message.ballot) else { throw BusError(.malformed, "no ballot") }
        let name = try self.name(message.name)
        let responder = try gate.admit(request, responder) { $0.partition(of: name) }
        engine.stage(name, ballot, blob: blob, needsRoom: message.needsRoom) { result in
            responder.answer(result) { answer in
                responder.reply(
                    StageReply(
                        promised: answer.promised, state: answer.state?.stored,
                        promise: BallotNumber(answer.promise), counter: answer.counter, chainBase: answer.base))
            }
        }
    }

    private func commit(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(CommitRequest.self)
        let blob = try payload(message.blob, message.blobCrc32c, request)
        let (name, state) = (try self.name(message.name), try self.state(message.state))
        let responder = try gate.admit(request, responder) { $0.partition(of: name) }
        engine.commit(name, state, blob: blob) { result in
            responder.answer(result) { answer in
                let outcome: CommitOutcome
                switch answer.outcome {
                case .accepted: outcome = .accepted
                case .refused: outcome = .refused
                case .blobMissing: outcome = .blobMissing
                }
                responder.reply(
                    CommitReply(outcome: outcome, promise: BallotNumber(answer.promise), counter: answer.counter))
            }
        }
    }

    private func learn(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(LearnRequest.self)
        let blob = try payload(message.blob, message.blobCrc32c, request)
        engine.learn(try name(message.name), try state(message.state), blob: blob) { result in
            responder.answer(result) { answer in
                switch answer {
                case .learned: responder.reply(LearnReply(outcome: .learned))
                case .known: responder.reply(LearnReply(outcome: .known))
                case .blobMissing: responder.reply(LearnReply(outcome: .learnBlobMissing))
                case .tooOld(let counter): responder.reply(LearnReply(outcome: .learnTooOld, counter: counter))
                }
            }
        }
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
                afterIsPrefix: message.afterIsPrefix, delimiter: message.delimiter,
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

    private func state(_ message: StoredState?) throws(BusError) -> ReplicaState {
        guard let state = ReplicaState(message) else { throw BusError(.malformed, "no register state") }
        return state
    }

    func chunk(_ blob: [UInt8], _ index: UInt32) throws(BusError) -> ChunkName {
        guard let blob = BlobID(blob) else { throw BusError(.malformed, "no blob id") }
        return ChunkName(blob: blob, index: index)
    }

    private func payload(
        _ id: [UInt8], _ checksum: UInt32, _ request: IncomingRequest
    ) throws(BusError) -> BlobPayload? {
        if id.isEmpty { return nil }
        guard let id = BlobID(id) else { throw BusError(.malformed, "no blob id") }
        return BlobPayload(id: id, content: CheckedBytes(bytes: try singlePayload(request), checksum: checksum))
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
