import ClusterState
import Model
import NIOCore
import Synchronization
import Wire

@testable import MessageBus

/// Managers that answer from a script, and a bus to them.
final class FakeManagers: ClusterBus {
    typealias Answer = @Sendable (FetchStateRequest) -> Result<FetchStateReply, BusError>

    private struct State {
        var answers: [NodeName: Answer] = [:]
        var asked: [NodeName] = []
        var announced: [EnrolRequest] = []
        var listeners: [NodeName: @Sendable (Publication) -> Void] = [:]
        var held: [@Sendable () -> Void]?
    }

    private let state = Mutex(State())

    func set(_ manager: NodeName, _ answer: @escaping Answer) { state.withLock { $0.answers[manager] = answer } }
    var asked: [NodeName] { state.withLock { $0.asked } }
    var announced: [EnrolRequest] { state.withLock { $0.announced } }
    var listenedTo: [NodeName] { state.withLock { $0.listeners.keys.sorted() } }

    /// Answers wait from now on.
    func hold() { state.withLock { $0.held = [] } }

    func release() {
        let held = state.withLock { state in
            defer { state.held = nil }
            return state.held ?? []
        }
        for answer in held { answer() }
    }

    func publishChange(of manager: NodeName) {
        let listener = state.withLock { $0.listeners[manager] }
        listener?(Publication(type: .stateChanged, sender: manager, sequence: 1, body: ByteBuffer()))
    }

    func send(
        _ type: MessageType, body: [UInt8], payload: [ByteBuffer], to peer: NodeName, timeout: Duration,
        context: MessageContext, completion: @escaping @Sendable (Result<BusReply, BusError>) -> Void
    ) {
        // What is answered is decided now, also when the answer is held back.
        let result = self.answer(type, body, peer)
        let answer: @Sendable () -> Void = { completion(result) }
        let held = state.withLock { state in
            if type == .fetchState { state.asked.append(peer) }
            state.held?.append(answer)
            return state.held != nil
        }
        if !held { answer() }
    }

    private func answer(_ type: MessageType, _ body: [UInt8], _ peer: NodeName) -> Result<BusReply, BusError> {
        if type == .enrol, let request = try? EnrolRequest(decoding: body) {
            state.withLock { $0.announced.append(request) }
            return .success(BusReply(body: ByteBuffer(bytes: EnrolReply().encoded()), sender: peer))
        }
        guard let script = state.withLock({ $0.answers[peer] }), let request = try? FetchStateRequest(decoding: body)
        else { return .failure(BusError(.unreachable, "no such manager")) }
        return script(request).map { BusReply(body: ByteBuffer(bytes: $0.encoded()), sender: peer) }
    }

    func subscribe(
        to peer: NodeName, _ types: [MessageType], onMessage: @escaping @Sendable (Publication) -> Void
    ) -> SubscriptionToken {
        state.withLock { $0.listeners[peer] = onMessage }
        return SubscriptionToken(id: 1)
    }

    func unsubscribe(_ token: SubscriptionToken) {}
}
