import Model
import Register
import Wire

extension FakeStorageNode {
    public var isInDoubt: Bool { doubtPosition != 0 }

    /// Whether its state of this key may not be the newest that it had.
    public func isDoubtful(_ name: Model.RegisterName) -> Bool { isInDoubt && !taught.contains(name) }

    /// It restarts without some of its registers and chunks, and with an older ceiling.
    public mutating func loseMemory(
        of registers: Set<Model.RegisterName>, chunks: Set<ChunkName> = [], ceiling: UInt64 = 0
    ) {
        for name in registers { self.registers[name] = nil }
        for chunk in chunks { self.chunks[chunk] = nil }
        doubtPosition += 1
        taught = []
        staged = [:]
        replica = RegisterReplica(ceiling: ceiling, isDoubtful: true)
    }

    private var doubt: Doubt {
        var bound: UInt64 = 0
        if case .bounded(let counter) = replica.doubt { bound = counter }
        return Doubt(
            disk: "d1", path: "/disk-1", position: doubtPosition, slots: [UInt8](repeating: 255, count: 32),
            ceiling: bound)
    }

    func fetchDoubts() -> Reply {
        let reply = FetchDoubtsReply(
            doubts: isInDoubt ? [doubt] : [], ceiling: max(replica.ceiling, noted),
            floor: Floor(ballot: BallotNumber(replica.floor.ballot), sequence: replica.floor.sequence))
        return (reply.encoded(), [])
    }

    mutating func fence(_ request: FenceRequest) throws -> Reply {
        if request.note {
            noted = max(noted, request.counter)
        } else {
            let isBound = isInDoubt && request.doubts.contains { $0.position == doubtPosition }
            let decision = replica.fence(to: request.counter, isBound: isBound)
            guard decision.answer == .fenced else { throw Refusal(status: .malformed) }
            if let ceiling = decision.raiseCeiling { replica.ceilingRaised(to: ceiling) }
        }
        return (FenceReply().encoded(), [])
    }

    mutating func trust(_ request: TrustRequest) throws -> Reply {
        guard let told = request.doubt, told.position == doubtPosition, told.ceiling > 0,
            replica.ceiling >= told.ceiling
        else { return (TrustReply(trusted: false).encoded(), []) }
        doubtPosition = 0
        replica.trust()
        return (TrustReply(trusted: true).encoded(), [])
    }
}
