import ClusterState
import Logging
import MessageBus
import Model
import NIOCore
import Wire

/// What the clients of one process share.
struct AccessEnvironment: Sendable {
    let bus: any RequestSending
    let cluster: any ClusterViewing
    let options: AccessOptions
    let timers: any TimerScheduling
    let health: PeerHealth
    let hints: HintNoter
    let metrics: AccessMetrics
    let flow: ContentFlow
    /// Of registers and of the content beside them.
    let readHedging: Hedging
    let chunkHedging: Hedging
    /// nil: storage nodes send all content.
    let shortCircuit: ShortCircuitReads?
    let logger: Logger

    /// Sends, and takes note of peers that do not answer, and of those that do again.
    func send(
        _ type: MessageType, body: [UInt8], payload: [ByteBuffer] = [], to node: NodeName, timeout: Duration,
        context: MessageContext, completion: @escaping @Sendable (Result<BusReply, BusError>) -> Void
    ) {
        let (health, slowAfter, start) = (self.health, options.slowAfter, ContinuousClock.now)
        bus.send(type, body: body, payload: payload, to: node, timeout: timeout, context: context) { result in
            switch result {
            case .success: if health.isDisturbed, .now - start < slowAfter { health.answered(node) }
            case .failure(let error): if error.meansAbsence { health.failed(node) }
            }
            completion(result)
        }
    }
}

extension BusError {
    /// The peer gave no answer at all.
    var meansAbsence: Bool { status == .unreachable || status == .deadlineExceeded }
}

extension Result where Success == BusReply, Failure == BusError {
    /// The decoded answer; a reply that is none counts as a failure of its sender.
    func decoded<Message: WireMessage>(as type: Message.Type) -> Result<Message, BusError> {
        flatMap { reply in
            do {
                return .success(try Message(decoding: reply.body))
            } catch {
                return .failure(BusError(.malformed, "\(error)", epoch: reply.epoch))
            }
        }
    }
}
