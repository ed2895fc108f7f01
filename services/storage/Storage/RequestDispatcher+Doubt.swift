import MessageBus
import MetadataIndex
import Wire

/// Lost memory: what the repair process asks and says.
extension RequestDispatcher {
    func fetchDoubts(_ request: IncomingRequest, _ responder: Responder) throws {
        _ = try request.decoded(FetchDoubtsRequest.self)
        let (doubts, ceiling) = try engine.doubts()
        let floor = Floor(try engine.floor())
        responder.reply(FetchDoubtsReply(doubts: doubts.map { Doubt($0) }, ceiling: ceiling, floor: floor))
    }

    func fence(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(FenceRequest.self)
        if message.note {
            try engine.note(message.counter)
        } else {
            try engine.fence(upTo: message.counter, bounding: try message.doubts.map(doubt))
        }
        responder.reply(FenceReply())
    }

    func trust(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(TrustRequest.self)
        guard let told = message.doubt else { throw BusError(.malformed, "no doubt") }
        responder.reply(TrustReply(trusted: try engine.trust(try doubt(told))))
    }

    private func doubt(_ message: Doubt) throws(BusError) -> DiskDoubt {
        guard let slots = SlotSet(bytes: message.slots) else { throw BusError(.malformed, "no set of slots") }
        return DiskDoubt(
            disk: message.disk, path: message.path, position: message.position, slots: slots, bound: message.ceiling)
    }
}

extension Doubt {
    fileprivate init(_ doubt: DiskDoubt) {
        self.init(
            disk: doubt.disk, path: doubt.path, position: doubt.position, slots: doubt.slots.bytes, ceiling: doubt.bound
        )
    }
}
