import MessageBus
import MetadataIndex
import Model
import Register
import Ring
import Wire

/// Tombstones: what the repair process asks and says.
extension RequestDispatcher {
    func fetchTombstones(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(FetchTombstonesRequest.self)
        let (found, next) = try engine.tombstones(
            ofPartitions: Set(message.partitions.map(Int.init)), ring: try currentRing(),
            after: message.after.isEmpty ? nil : message.after, limit: min(max(1, Int(message.limit)), 10_000),
            ageMilliseconds: message.ageMilliseconds)
        let tombstones = found.map { Tombstone(name: .init($0.name), tag: BallotNumber($0.tag)) }
        responder.reply(FetchTombstonesReply(tombstones: tombstones, cursor: next ?? []))
    }

    /// The sender has looked at the replicas of its ring: nothing goes by an older one, nor while a partition moves. A node
    /// that has adopted a ring answers only when every purge by an older one is durable.
    func purge(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(PurgeRequest.self)
        guard message.tombstones.count <= StorageEngine.purgedMax else {
            throw BusError(.tooLarge, "too many tombstones at once")
        }
        let tombstones = try message.tombstones.map { item throws(BusError) in
            guard let tag = Ballot(item.tag) else { throw BusError(.malformed, "no tag") }
            return PurgedRegister(name: try name(item.name), tag: tag)
        }
        guard request.epoch != 0 else { throw BusError(.malformed, "a purge needs the ring of its sender") }
        let responder = try gate.admit(request, responder)
        let ring = try currentRing()
        let settled = tombstones.filter { ring.partitions[ring.partition(of: $0.name)].next.isEmpty }
        engine.purge(settled) { result in
            responder.answer(result) { responder.reply(PurgeReply(purged: UInt32(clamping: $0))) }
        }
    }

    func raiseFloor(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(RaiseFloorRequest.self)
        guard let floor = message.floor.flatMap({ PurgeFloor($0) }) else { throw BusError(.malformed, "no floor") }
        try engine.raiseFloor(to: floor)
        responder.reply(RaiseFloorReply())
    }
}

extension PurgeFloor {
    init?(_ message: Floor) {
        guard let ballot = Ballot(message.ballot) else { return nil }
        self.init(ballot: ballot, sequence: message.sequence)
    }
}

extension Floor {
    init(_ floor: PurgeFloor) { self.init(ballot: BallotNumber(floor.ballot), sequence: floor.sequence) }
}
