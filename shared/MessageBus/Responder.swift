import NIOCore
import Synchronization
import Wire

/// What a handler answers: a body (status OK) or a refusal.
public struct Answer: Sendable {
    public var status: Status
    public var message: String
    public var body: [UInt8]
    public var payload: [ByteBuffer]

    public init(status: Status, message: String = "", body: [UInt8] = [], payload: [ByteBuffer] = []) {
        self.status = status
        self.message = message
        self.body = body
        self.payload = payload
    }
}

/// Answers one request, from any thread. Only the first answer counts; when the last copy goes away without an answer
/// the sender is told so instead of waiting for its deadline.
public struct Responder: Sendable {
    private let once: AnswerOnce

    public init(_ deliver: @escaping @Sendable (Answer) -> Void) { once = AnswerOnce(deliver) }

    public func reply(_ message: some WireMessage, payload: [ByteBuffer] = []) {
        once.deliver(Answer(status: .ok, body: message.encoded(), payload: payload))
    }

    public func fail(_ status: Status, _ message: String) {
        once.deliver(Answer(status: status == .ok ? .internalError : status, message: message))
    }

    /// Passes on an answer that is already made.
    public func deliver(_ answer: Answer) { once.deliver(answer) }

    public func fail(_ error: BusError) { fail(error.status, error.message) }
}

private final class AnswerOnce: Sendable {
    private let answered = Atomic<Bool>(false)
    private let answer: @Sendable (Answer) -> Void

    init(_ answer: @escaping @Sendable (Answer) -> Void) { self.answer = answer }

    func deliver(_ value: Answer) {
        guard !answered.exchange(true, ordering: .relaxed) else { return }
        answer(value)
    }

    deinit {
        if !answered.load(ordering: .relaxed) {
            answer(Answer(status: .internalError, message: "the request was dropped without an answer"))
        }
    }
}
