import Checksums
import MetadataIndex
import Model
import ObjectLog
import PlantedBugs
import Register

/// Requests about registers. Each calls its completion once, at once or after a sync.
extension DiskReplica {
    /// Room for a ceiling beside what a request appends.
    private static let spare = 256

    func read(
        _ name: RegisterName, withBlob: Bool, inPlace: Bool = false, atHand: AtHand? = nil,
        _ completion: @escaping Completion<ReadResult>
    ) {
        run(completion) {
            try critical(name, room: 0, atHand: atHand) { state, found in
                let decision = state.replica.read(name, stored: found.stored)
                guard case .state(let held) = decision.answer else {
                    return try settle(decision, name, &state, answer: .failure(unreadable(name)), completion)
                }
                let answer = ReadResult(state: held, blob: nil, counter: decision.counter)
                guard withBlob, let blobs = held?.record?.blobs, blobs.count == 1 else {
                    return try settle(decision, name, &state, answer: .success(answer), completion)
                }
                return try settleWithBlob(
                    decision, name, &state, answer, blobs[0], inPlace: inPlace, atHand, completion)
            }
        }
    }

    /// The blob of a durable state is read from the log after the lock was left; one that is not durable yet is in memory.
    private func settleWithBlob(
        _ decision: ReadDecision<ReplicaRecord>, _ name: RegisterName, _ state: inout State, _ answer: ReadResult,
        _ blob: BlobID, inPlace: Bool, _ atHand: AtHand?, _ completion: @escaping Completion<ReadResult>
    ) throws -> Held? {
        var answer = answer
        if let content = state.blobs[BlobKey(blob)] {
            answer.blob = (blob, content)
        } else if let content = atHand?.content, content.blob == blob {
            answer.blob = (blob, content.bytes)
        } else if let place = atHand?.place, place.blob == blob {
            answer.place = place
        } else if decision.after.isNothing {
            return { [answer] _ in
                var answer = answer
                if inPlace, let location = try? self.index.blob(BlobKey(blob)),
                    let place = self.place(of: BlobKey(blob), at: location)
                {
                    answer.place = (blob, place)
                } else if let content = try? self.content(of: BlobKey(blob), owner: name) {
                    answer.blob = (blob, content)
                }
                completion(.success(answer))
            }
        }
        return try settle(decision, name, &state, answer: .success(answer), completion)
    }

    func stage(
        _ name: RegisterName, _ ballot: Ballot, blob: BlobPayload?, needsRoom: Bool = false, atHand: AtHand? = nil,
        _ completion: @escaping Completion<StageResult>
    ) {
        run(completion) {
            if let blob { try verify(blob.content) }
            // The commit would be refused too, but then nobody could tell any more that nothing has happened.
            let room = (blob?.content.bytes.readableBytes ?? 0) + Self.spare
            if needsRoom, log.isFull, try !log.hasRoom(room) { throw StorageError.diskFull }
            return try critical(name, room: 0, atHand: atHand) { state, found in
                if let failure = state.failure { throw failure }
                let decision = state.replica.stage(name, ballot: ballot, stored: found.stored)
                if let blob, case .promised = decision.answer {
                    staged.put(blob.id, StagedBlob(bytes: blob.content.bytes, checksum: blob.content.checksum))
                }
                return try settle(decision, name, &state, answer: answer(decision, name, ballot), completion)
            }
        }
    }

    /// Phase 1, and phase 2 at once if nothing is here.
    func stage(
        _ name: RegisterName, proposing new: ReplicaState, blob: BlobPayload?, atHand: AtHand? = nil,
        _ completion: @escaping Completion<StageResult>
    ) {
        install(name, new, blob: blob, atHand: atHand, completion) { state, found, hasBlobs in
            if let failure = state.failure { throw failure }
            let decision = state.replica.stage(name, proposing: new, stored: found.stored, hasBlobs: hasBlobs)
            return (decision, answer(decision, name, new.tag))
        }
    }

    private func answer(
        _ decision: StageDecision<ReplicaRecord>, _ name: RegisterName, _ ballot: Ballot
    ) -> Result<StageResult, StorageError> {
        switch decision.answer {
        case .promised(let held):
            .success(
                StageResult(
                    promised: true, state: held, promise: ballot, counter: decision.counter, base: decision.base))
        case .accepted:
            .success(
                StageResult(promised: true, accepted: true, state: nil, promise: ballot, counter: decision.counter))
        case .refused(let held, let promise):
            .success(StageResult(promised: false, state: held, promise: promise, counter: decision.counter))
        case .abstained: .failure(unreadable(name))
        }
    }

    func commit(
        _ name: RegisterName, _ new: ReplicaState, blob: BlobPayload?, atHand: AtHand? = nil,
        _ completion: @escaping Completion<CommitResult>
    ) {
        if PlantedBug.ignorePromises.isPlanted {
            return learn(name, new, blob: blob) { result in
                completion(
                    result.map { _ in
                        CommitResult(outcome: .accepted, promise: new.tag, counter: new.tag.counter)
                    })
            }
        }
        install(name, new, blob: blob, atHand: atHand, completion) { state, found, hasBlobs in
            let decision = state.replica.commit(name, new, stored: found.stored, hasBlobs: hasBlobs)
            let result: Result<CommitResult, StorageError>
            switch decision.answer {
            case .accepted:
                result = .success(CommitResult(outcome: .accepted, promise: new.tag, counter: decision.counter))
            case .refused(let promise):
                result = .success(CommitResult(outcome: .refused, promise: promise, counter: decision.counter))
            case .blobMissing:
                result = .success(CommitResult(outcome: .blobMissing, promise: new.tag, counter: decision.counter))
            case .abstained: result = .failure(unreadable(name))
            }
            return (decision, result)
        }
    }

    func learn(
        _ name: RegisterName, _ new: ReplicaState, blob: BlobPayload?, _ completion: @escaping Completion<LearnResult>
    ) {
        let healing = blob.map { isMissingOrDamaged(BlobKey($0.id)) } ?? false
        install(name, new, blob: blob, completion) { state, found, hasBlobs in
            let decision = state.replica.learn(name, new, stored: found.stored, hasBlobs: hasBlobs)
            switch decision.answer {
            case .learned: return (decision, .success(.learned))
            case .blobMissing: return (decision, .success(.blobMissing))
            case .tooOld: return (decision, .success(.tooOld(counter: decision.counter)))
            case .abstained: return (decision, .failure(unreadable(name)))
            case .known:
                // Somebody brings back content that this disk has lost.
                if healing, let blob, case .found(let held) = found.stored, held.tag == new.tag {
                    try appendBlob(blob, of: BlobOwner(name: name, tag: new.tag), urgency: .now, &state)
                }
                return (decision, .success(.known))
            }
        }
    }

    /// What commit and learn have in common: the blobs that the new state refers to go to the log before it.
    private func install<Answer, Reply: Sendable>(
        _ name: RegisterName, _ new: ReplicaState, blob: BlobPayload?, atHand: AtHand? = nil,
        _ completion: @escaping Completion<Reply>,
        _ decide: (inout State, Found, _ hasBlobs: Bool) throws -> (
            ReplicaDecision<ReplicaRecord, Answer>, Result<Reply, StorageError>
        )
    ) {
        run(completion) {
            if let blob { try verify(blob.content) }
            var value = new.value(of: name)
            if value.isTombstone { value.deletedMilliseconds = Self.wallMilliseconds }
            let entry = LogEntry.register(name, value)
            let blobs = new.record?.blobs ?? []
            let arrived = blobs.reduce(into: [BlobID: Int]()) { sizes, id in
                sizes[id] = blob?.id == id ? blob?.content.bytes.readableBytes : staged.size(of: id)
            }
            // Beside the bytes of a blob: header, id, tag and name.
            let room = arrived.values.reduce(entry.recordSize + Self.spare) { $0 + $1 + entry.head.count + Self.spare }
            let unknown = blobs.filter { arrived[$0] == nil }
            let priority = blob == nil ? priority(of: new, name) : .content
            return try critical(name, room: room, priority: priority, blobs: unknown, atHand: atHand) { state, found in
                var brought: [BlobPayload] = []
                let isComplete = blobs.allSatisfy { id in
                    if let blob, blob.id == id {
                        brought.append(blob)
                    } else if found.blobs.contains(id) {
                    } else if state.blobs[BlobKey(id)] != nil {
                    } else if arrived[id] != nil, let taken = staged.take(id) {
                        brought.append(
                            BlobPayload(id: id, content: CheckedBytes(bytes: taken.bytes, checksum: taken.checksum)))
                    } else {
                        return false
                    }
                    return true
                }
                let (decision, result) = try decide(&state, found, isComplete)
                if decision.append == nil {
                    // The writer may come again with a higher ballot.
                    for brought in brought {
                        staged.put(
                            brought.id,
                            StagedBlob(bytes: brought.content.bytes, checksum: brought.content.checksum))
                    }
                }
                return try settle(
                    decision, name, &state, blobs: brought, entry: entry, value: value, priority: priority,
                    answer: result,
                    completion)
            }
        }
    }

    /// What frees space, or adds nothing, has room on a full disk: tombstones, and rounds that only confirm what is here.
    private func priority(of new: ReplicaState, _ name: RegisterName) -> AppendPriority {
        guard let record = new.record, !record.isTombstone else { return .deletion }
        guard log.isFull, let held = try? index.register(name)?.value else { return .content }
        return held.sequence == new.sequence && held.record == record.bytes ? .deletion : .content
    }

    // MARK: - Common

    func run<Answer>(_ completion: Completion<Answer>, _ body: () throws -> Held?) {
        do {
            if let ready = try noting(body) { ready(nil) }
        } catch {
            completion(.failure(StorageError(error)))
        }
    }

    func verify(_ content: CheckedBytes) throws(StorageError) {
        guard content.bytes.readableBytes <= Limits.chunkSize else { throw .malformed("the payload is too large") }
        guard crc32c(content.bytes) == content.checksum else {
            throw .malformed("the payload does not match its checksum")
        }
    }

    private func unreadable(_ name: RegisterName) -> StorageError {
        metrics.abstentions.increment()
        return .abstained("this replica cannot vote for the key: what it has cannot be trusted")
    }
}
