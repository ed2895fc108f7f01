import MessageBus
import Model
import NIOCore
import Register
import Synchronization
import Wire

/// One attempt to put a chunk on its replicas.
final class ChunkPut: Sendable {
    private struct State {
        var acknowledged = MemberSet()
        var lost = MemberSet()
        var failures = FailureTally()
        var continuation: UnsafeContinuation<FailureTally?, Never>?
    }

    private let environment: AccessEnvironment
    private let name: ChunkName
    private let body: [UInt8]
    private let bytes: ByteBuffer
    private let rule: QuorumRule
    private let context: MessageContext
    private let state = Mutex(State())

    init(
        _ environment: AccessEnvironment, _ name: ChunkName, body: [UInt8], bytes: ByteBuffer, rule: QuorumRule,
        context: MessageContext
    ) {
        self.environment = environment
        self.name = name
        self.body = body
        self.bytes = bytes
        self.rule = rule
        self.context = context
    }

    /// nil: a write quorum has it. Otherwise why not.
    func run() async -> FailureTally? {
        await withUnsafeContinuation { continuation in
            state.withLock { $0.continuation = continuation }
            for (member, node) in rule.members.enumerated() {
                environment.send(
                    .putChunk, body: body, payload: [bytes], to: node, timeout: environment.options.chunkTimeout,
                    context: context
                ) { self.answered(member, $0.decoded(as: PutChunkReply.self)) }
            }
        }
    }

    private func answered(_ member: Int, _ result: Result<PutChunkReply, BusError>) {
        var outcome: FailureTally??
        let (continuation, finished) = state.withLock { state in
            switch result {
            case .success: state.acknowledged.insert(member)
            case .failure(let error):
                state.lost.insert(member)
                state.failures.add(error.status)
            }
            if rule.isWriteQuorum(state.acknowledged) {
                outcome = .some(nil)
            } else if !rule.canStillWrite(without: state.lost) {
                outcome = .some(state.failures)
            }
            let everybody = state.acknowledged.union(state.lost) == rule.everybody
            guard outcome != nil else { return (nil as UnsafeContinuation<FailureTally?, Never>?, everybody) }
            defer { state.continuation = nil }
            return (state.continuation, everybody)
        }
        if let outcome { continuation?.resume(returning: outcome) }
        if finished { noteHints() }
    }

    /// All have answered. Nothing to note unless the put succeeded: an attempt that follows asks everybody again.
    private func noteHints() {
        let (acknowledged, lost) = state.withLock { ($0.acknowledged, $0.lost) }
        guard rule.isWriteQuorum(acknowledged), !lost.isEmpty else { return }
        environment.hints.note(name, missed: rule.names(lost), at: rule.names(acknowledged))
    }
}
