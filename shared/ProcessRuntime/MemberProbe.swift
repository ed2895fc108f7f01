import MessageBus
import Model
import Wire

/// Asks another member, for a manager that does not hear it: the connection between those two may be what is broken.
public struct MemberProbe: Sendable {
    static let timeoutMax = Duration.seconds(2)

    let bus: any RequestSending

    public init(bus: any RequestSending) { self.bus = bus }

    public func handle(_ request: IncomingRequest, _ responder: Responder) {
        do throws(BusError) {
            let target = NodeName(try request.decoded(ProbeRequest.self).target)
            guard target.isValid else { throw BusError(.invalidArgument, "whom?") }
            // The answer to this question has to travel too.
            let timeout = min(Self.timeoutMax, (request.deadline - .now) / 2)
            guard timeout > .zero else { throw BusError(.deadlineExceeded, "no time is left to ask") }
            bus.send(
                .ping, body: PingRequest().encoded(), payload: [], to: target, timeout: timeout,
                context: MessageContext()
            ) { result in
                switch result {
                case .success: responder.reply(ProbeReply(reached: true))
                case .failure: responder.reply(ProbeReply(reached: false))
                }
            }
        } catch {
            responder.fail(error)
        }
    }
}
