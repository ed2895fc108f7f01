import FailureDetection
import MessageBus
import Model
import Wire

/// Asks members whether they live, directly or through another.
struct MemberAsking: Sendable {
    let bus: any RequestSending
    /// For the way there and back.
    let timeout: Duration

    /// `answered` is called when the member answered, on a bus thread; otherwise never.
    func ask(_ probe: FailureDetector.Probe, answered: @escaping @Sendable () -> Void) {
        guard let relay = probe.relay else {
            return send(.ping, PingRequest(), to: probe.target, timeout: timeout) { reply in
                if (try? PingReply(decoding: reply.body)) != nil { answered() }
            }
        }
        let request = ProbeRequest(target: probe.target.rawValue)
        send(.probe, request, to: relay, timeout: timeout * 2) { reply in
            if (try? ProbeReply(decoding: reply.body))?.reached == true { answered() }
        }
    }

    private func send(
        _ type: MessageType, _ message: some WireMessage, to node: NodeName, timeout: Duration,
        _ success: @escaping @Sendable (BusReply) -> Void
    ) {
        bus.send(type, body: message.encoded(), payload: [], to: node, timeout: timeout, context: MessageContext()) {
            if case .success(let reply) = $0 { success(reply) }
        }
    }
}
