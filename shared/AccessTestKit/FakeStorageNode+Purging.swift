import Model
import ObjectAccess
import Register
import Ring
import Wire

extension FakeStorageNode {
    /// What the acceptor has purged.
    public var floor: PurgeFloor { replica.floor }

    /// All of them are old enough.
    func fetchTombstones(_ request: FetchTombstonesRequest, _ ring: RingTable) throws -> Reply {
        if isInDoubt { throw Refusal(status: .abstained) }
        let partitions = Set(request.partitions.map(Int.init))
        let after = request.after.isEmpty ? nil : Model.RegisterName(indexKey: request.after)
        let wanted = registers.filter { name, state in
            state.record?.isTombstone == true && state.record?.summary.isEmpty == true
                && partitions.contains(ring.partition(of: name))
                && after.map { $0 < name } ?? true
        }.sorted { $0.key < $1.key }
        let page = wanted.prefix(Int(request.limit))
        let reply = FetchTombstonesReply(
            tombstones: page.map { Tombstone(name: Wire.RegisterName($0.key), tag: BallotNumber($0.value.tag)) },
            cursor: page.count < wanted.count ? page.last!.key.indexKey : [])
        return (reply.encoded(), [])
    }

    mutating func purge(_ request: PurgeRequest, _ ring: RingTable) throws -> Reply {
        var purged: UInt32 = 0
        for item in request.tombstones {
            let name = try named(item.name)
            let decision = replica.purge(name, tag: Ballot(item.tag), stored: durable(name))
            if act(name, decision) == .purged { purged += 1 }
        }
        return (PurgeReply(purged: purged).encoded(), [])
    }

    mutating func raiseFloor(_ request: RaiseFloorRequest) -> Reply {
        replica.raiseFloor(
            to: PurgeFloor(ballot: Ballot(request.floor?.ballot), sequence: request.floor?.sequence ?? 0))
        return (RaiseFloorReply().encoded(), [])
    }
}
