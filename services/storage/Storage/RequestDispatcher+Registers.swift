import MessageBus
import Model
import NIOCore
import Register
import Wire

/// Registers. Each says whether it has served the request: with `atOnce` it does nothing that may wait for a device.
extension RequestDispatcher {
    func read(_ request: IncomingRequest, _ responder: Responder, atOnce: Bool) throws -> Bool {
        let message = try request.decoded(ReadRequest.self)
        let name = try self.name(message.name)
        let (withBlob, inPlace) = (message.withBlob, message.inPlace)
        let atHand = atOnce ? engine.atHand(name, withBlob: withBlob, inPlace: inPlace) : nil
        if atOnce, atHand == nil { return false }
        let responder = try gate.admit(request, responder) { $0.partition(of: name) }
        engine.read(name, withBlob: withBlob, inPlace: inPlace, atHand: atHand) { result in
            responder.answer(result) { answer in
                let (content, place) = (answer.blob?.content, answer.place)
                let reply = ReadReply(
                    state: answer.state?.stored, blob: (answer.blob?.id ?? place?.blob)?.bytes ?? [],
                    counter: answer.counter, blobCrc32c: content?.checksum ?? place?.at.checksum ?? 0,
                    place: place.map { LogPlace($0.at) })
                responder.reply(reply, payload: content.map { [$0.bytes] } ?? [])
            }
        }
        return true
    }

    func stage(_ request: IncomingRequest, _ responder: Responder, atOnce: Bool) throws -> Bool {
        let message = try request.decoded(StageRequest.self)
        let blob = try payload(message.blob, message.blobCrc32c, request)
        guard let ballot = Ballot(message.ballot) else { throw BusError(.malformed, "no ballot") }
        let name = try self.name(message.name)
        let proposal = try message.proposal.map { try state($0) }
        guard proposal == nil || proposal?.tag == ballot else {
            throw BusError(.malformed, "a proposal of another ballot")
        }
        let atHand = !atOnce ? nil : try proposal.map { try self.atHand(name, $0, blob) } ?? engine.atHand(name)
        if atOnce, atHand == nil { return false }
        let responder = try gate.admit(request, responder) { $0.partition(of: name) }
        let completion: Completion<StageResult> = { result in
            responder.answer(result) { responder.reply(StageReply($0)) }
        }
        if let proposal {
            engine.stage(name, proposing: proposal, blob: blob, atHand: atHand, completion)
        } else {
            engine.stage(name, ballot, blob: blob, needsRoom: message.needsRoom, atHand: atHand, completion)
        }
        return true
    }

    func commit(_ request: IncomingRequest, _ responder: Responder, atOnce: Bool) throws -> Bool {
        let message = try request.decoded(CommitRequest.self)
        let blob = try payload(message.blob, message.blobCrc32c, request)
        let (name, state) = (try self.name(message.name), try self.state(message.state))
        let atHand = atOnce ? try self.atHand(name, state, blob) : nil
        if atOnce, atHand == nil { return false }
        let responder = try gate.admit(request, responder) { $0.partition(of: name) }
        engine.commit(name, state, blob: blob, atHand: atHand) { result in
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
        return true
    }

    /// nil also when the content is large, or was neither staged nor brought along.
    private func atHand(
        _ name: Model.RegisterName, _ state: ReplicaState, _ blob: BlobPayload?
    ) throws(BusError) -> AtHand? {
        var room = (state.record?.bytes.count ?? 0) + (state.record?.summary.count ?? 0) + 4096
        for id in state.record?.blobs ?? [] {
            guard let size = blob?.id == id ? blob?.content.bytes.readableBytes : engine.stagedSize(of: id),
                size <= Self.payloadAtOnce
            else { return nil }
            room += size + 4096
        }
        return engine.atHand(name, room: room)
    }

    func learn(_ request: IncomingRequest, _ responder: Responder) throws {
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

    // MARK: - Parts of messages

    private func state(_ message: StoredState?) throws(BusError) -> ReplicaState {
        guard let state = ReplicaState(message) else { throw BusError(.malformed, "no register state") }
        return state
    }

    private func payload(
        _ id: [UInt8], _ checksum: UInt32, _ request: IncomingRequest
    ) throws(BusError) -> BlobPayload? {
        if id.isEmpty { return nil }
        guard let id = BlobID(id) else { throw BusError(.malformed, "no blob id") }
        return BlobPayload(id: id, content: CheckedBytes(bytes: try singlePayload(request), checksum: checksum))
    }
}

extension StageReply {
    fileprivate init(_ answer: StageResult) {
        self.init(
            promised: answer.promised, state: answer.state?.stored, promise: BallotNumber(answer.promise),
            counter: answer.counter, chainBase: answer.base, accepted: answer.accepted)
    }
}
