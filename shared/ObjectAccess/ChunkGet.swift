import MessageBus
import Model
import NIOCore
import Synchronization
import Wire

/// Bytes of a chunk and, when they were asked for, its owner and time.
public struct StoredChunk: Sendable {
    public var bytes: ByteBuffer
    /// The register that is to refer to the chunk. nil: not asked for, or not known.
    public var owner: Model.RegisterName?
    /// When it was first written, milliseconds since 1970. 0: not asked for, or not known.
    public var writtenMilliseconds: Int64
}

/// Gets bytes of one chunk: asks one replica, the next when it fails or is slow; the first right answer counts.
final class ChunkGet: Sendable {
    private struct State {
        var untried: ArraySlice<NodeName>
        var waiting = 0
        var failures = FailureTally()
        var continuation: UnsafeContinuation<Result<StoredChunk, AccessError>, Never>?
    }

    private let environment: AccessEnvironment
    private let request: GetChunkRequest
    private let body: [UInt8]
    private let context: MessageContext
    private let state: Mutex<State>

    init(_ environment: AccessEnvironment, _ request: GetChunkRequest, nodes: [NodeName], context: MessageContext) {
        self.environment = environment
        self.request = request
        body = request.encoded()
        self.context = context
        state = Mutex(State(untried: nodes[...]))
    }

    func run() async -> Result<StoredChunk, AccessError> {
        await withUnsafeContinuation { continuation in
            state.withLock { $0.continuation = continuation }
            askNext()
        }
    }

    /// Asks the next replica; fails when there is none and no answer is under way.
    private func askNext() {
        var failed: UnsafeContinuation<Result<StoredChunk, AccessError>, Never>?
        var error = AccessError.absent
        let node: NodeName? = state.withLock { state in
            guard state.continuation != nil else { return nil }
            guard let node = state.untried.popFirst() else {
                guard state.waiting == 0 else { return nil }
                if !state.failures.isEmpty { error = state.failures.error }
                failed = state.continuation
                state.continuation = nil
                return nil
            }
            state.waiting += 1
            return node
        }
        failed?.resume(returning: .failure(error))
        if let node { ask(node) }
    }

    private func ask(_ node: NodeName) {
        // A chunk takes longer than a small answer: some patience before it is asked for twice.
        environment.timers.after(environment.options.slowAfter * 3) { [weak self] in self?.slow(node) }
        environment.send(
            .getChunk, body: body, to: node, timeout: environment.options.chunkTimeout, context: context
        ) { self.answered($0) }
    }

    private func slow(_ node: NodeName) {
        guard state.withLock({ $0.continuation != nil && $0.waiting > 0 }) else { return }
        environment.health.failed(node)
        askNext()
    }

    private func answered(_ result: Result<BusReply, BusError>) {
        let chunk = result.flatMap(checked)
        let continuation = state.withLock { state in
            state.waiting -= 1
            switch chunk {
            case .success:
                defer { state.continuation = nil }
                return state.continuation
            case .failure(let error):
                if error.status != .notFound { state.failures.add(error.status) }
                return nil
            }
        }
        if case .success(let chunk) = chunk { continuation?.resume(returning: .success(chunk)) } else { askNext() }
    }

    private func checked(_ reply: BusReply) -> Result<StoredChunk, BusError> {
        Result<BusReply, BusError>.success(reply).decoded(as: GetChunkReply.self).flatMap { message in
            let bytes = reply.payload.first ?? ByteBuffer()
            let left = message.size >= request.offset ? message.size - request.offset : 0
            let expected = request.length == 0 ? left : min(left, request.length)
            guard bytes.readableBytes == expected, message.crc32c.matches(bytes) else {
                return .failure(BusError(.malformed, "wrong bytes of a chunk from \(reply.sender)"))
            }
            return .success(
                StoredChunk(
                    bytes: bytes, owner: Model.RegisterName(message.owner),
                    writtenMilliseconds: message.writtenMilliseconds))
        }
    }
}
