import MessageBus
import Model
import PlantedBugs
import Register
import Synchronization
import Wire

/// Tells replicas that acknowledged a write which others did not, in batches and in the background.
///
/// Best effort on purpose: a hint that is lost (this process dies, the queue is full) costs time, not data, because
/// anti-entropy compares the replicas anyway.
final class HintNoter: Sendable {
    private struct State {
        var pending: [NodeName: [Hint]] = [:]
        var isFlushing = false
    }

    static let batchMax = 256

    private let bus: any RequestSending
    private let options: AccessOptions
    private let metrics: AccessMetrics
    private let state = Mutex(State())

    init(bus: any RequestSending, options: AccessOptions, metrics: AccessMetrics) {
        self.bus = bus
        self.options = options
        self.metrics = metrics
    }

    func note(_ name: Model.RegisterName, tag: Ballot, missed: [NodeName], at acknowledged: [NodeName]) {
        note(
            missed.map { node in
                Hint(
                    missed: node.rawValue, name: Wire.RegisterName(name), tag: BallotNumber(tag),
                    notedMilliseconds: WallClock.milliseconds)
            }, at: acknowledged)
    }

    func note(_ chunk: ChunkName, missed: [NodeName], at acknowledged: [NodeName]) {
        note(
            missed.map { node in
                Hint(
                    missed: node.rawValue, blob: chunk.blob.bytes, index: chunk.index,
                    notedMilliseconds: WallClock.milliseconds)
            }, at: acknowledged)
    }

    private func note(_ hints: [Hint], at nodes: [NodeName]) {
        guard !hints.isEmpty, !nodes.isEmpty, !PlantedBug.dropHints.isPlanted else { return }
        metrics.hintsNoted.increment(by: hints.count)
        let mustStart = state.withLock { state in
            for node in nodes {
                let room = options.hintsPendingMax - (state.pending[node]?.count ?? 0)
                if room < hints.count { metrics.hintsDropped.increment(by: hints.count - max(room, 0)) }
                state.pending[node, default: []] += hints.prefix(max(room, 0))
            }
            defer { state.isFlushing = true }
            return !state.isFlushing
        }
        if mustStart { Task { await flush() } }
    }

    private func flush() async {
        while true {
            try? await Task.sleep(for: options.hintDelay)
            let batches = state.withLock { state in
                let pending = state.pending
                state.pending = [:]
                state.isFlushing = !pending.isEmpty
                return pending
            }
            guard !batches.isEmpty else { return }
            await withTaskGroup { group in
                for (node, hints) in batches { group.addTask { await self.send(hints, to: node) } }
            }
        }
    }

    private func send(_ hints: [Hint], to node: NodeName) async {
        for start in stride(from: 0, to: hints.count, by: Self.batchMax) {
            let batch = Array(hints[start..<min(start + Self.batchMax, hints.count)])
            for attempt in 1...2 {
                do {
                    _ = try await bus.request(
                        .noteHint, NoteHintRequest(hints: batch), to: node, timeout: options.attemptTimeout,
                        answer: NoteHintReply.self)
                    break
                } catch {
                    if attempt == 2 { metrics.hintsDropped.increment(by: batch.count) }
                }
            }
        }
    }
}
