import Model
import NIOCore
import Synchronization
import Wire

typealias Completion = @Sendable (Result<BusReply, BusError>) -> Void

/// A request on its way to the bus thread.
struct OutgoingRequest: Sendable {
    var type: MessageType
    var peer: NodeName
    var body: [UInt8]
    var payload: [ByteBuffer]
    var context: MessageContext
    /// Monotonic nanoseconds.
    var started: UInt64
    var due: UInt64
    var completion: Completion

    var payloadBytes: Int { payload.reduce(0) { $0 + $1.readableBytes } }
}

/// What other threads ask of the bus thread.
enum BusCommand: Sendable {
    case request(OutgoingRequest)
    /// A request that found the queue full: only its completion is left.
    case reject(Completion, BusError)
    case reply(OutgoingReply)
    case publication(MessageType, sequence: UInt64, body: [UInt8])
    case subscribe(Subscription)
    case unsubscribe(SubscriptionToken)
    case stop
}

/// A subscriber of one peer's publications.
struct Subscription: Sendable {
    var token: SubscriptionToken
    var peer: NodeName
    var types: Set<MessageType>
    var onMessage: @Sendable (Publication) -> Void
}

/// What the callers' threads and the bus thread have in common.
final class BusShared: Sendable {
    let configuration: BusConfiguration
    let queue: CommandQueue<BusCommand>
    /// Sequence numbers of publications, taken in the order in which they are queued.
    private let sequences = Mutex<[MessageType: UInt64]>([:])
    /// Bit t: somebody listens to type t.
    private let audience = Atomic<UInt64>(0)

    init(_ configuration: BusConfiguration) throws {
        self.configuration = configuration
        queue = try CommandQueue(capacity: configuration.limits.queue)
    }

    func hasAudience(_ type: MessageType) -> Bool {
        let type = UInt64(truncatingIfNeeded: type.rawValue)
        return type < 64 && audience.load(ordering: .relaxed) >> type & 1 == 1
    }

    func setAudience(_ types: Set<MessageType>) {
        audience.store(types.reduce(0) { $0 | 1 << UInt64($1.rawValue) }, ordering: .relaxed)
    }

    /// Counts a publication and queues it when somebody listens: who did not listen sees the gap.
    func publish(_ type: MessageType, encode: () -> [UInt8]) {
        let body = hasAudience(type) ? encode() : nil
        sequences.withLock { sequences in
            let sequence = sequences[type, default: 0] + 1
            sequences[type] = sequence
            if let body { _ = queue.push(.publication(type, sequence: sequence, body: body)) }
        }
    }

    /// Accepts no more commands, and fails those that still wait.
    func closeQueue(answer: (OutgoingReply) -> Void = { _ in }) {
        for command in queue.close() {
            switch command {
            case .request(let request): request.completion(.failure(BusError(.unavailable, "stopping")))
            case .reject(let completion, let error): completion(.failure(error))
            case .reply(let reply): answer(reply)
            case .publication, .subscribe, .unsubscribe, .stop: break
            }
        }
    }
}
