import Linearizability
import NIOCore

/// One client: takes turns until there are none. Runs on its event loop, so that no request changes threads.
actor LoadWorker {
    private let eventLoop: any NIOSerialEventLoopExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    private let id: Int
    private let plan: LoadPlan
    private let target: any LoadTarget
    private let pacer: Pacer
    private let statistics: LoadStatistics
    private let recorders: [OperationRecorder]
    private var random: SeededRandom
    private var versions = 0

    init(
        id: Int, plan: LoadPlan, targets: any LoadTargets, pacer: Pacer, statistics: LoadStatistics,
        recorders: [OperationRecorder], on eventLoop: any EventLoop & NIOSerialEventLoopExecutor
    ) {
        self.id = id
        self.plan = plan
        self.pacer = pacer
        self.statistics = statistics
        self.recorders = recorders
        self.eventLoop = eventLoop
        target = targets.target(ofWorker: id, plan, on: eventLoop)
        random = SeededRandom(seed: plan.seed &+ UInt64(id) &* 0x9e37_79b9)
    }

    func run() async {
        while let turn = pacer.next() {
            let wait = turn.due - MonotonicClock.now()
            if wait > 0 { try? await Task.sleep(for: .nanoseconds(wait)) }
            await perform(turn)
        }
        target.close()
    }

    /// One operation with its retries.
    private func perform(_ turn: Pacer.Turn) async {
        let planned = plan.operation(turn: turn.number, &random)
        let (operation, key) = (planned.operation, planned.key)
        for attempt in 0...plan.retries {
            switch await attemptOnce(planned, turn: turn.number, isFirst: attempt == 0) {
            case .done(let bytes, let found, _):
                let elapsed = MonotonicClock.now() - max(turn.due, 0)
                return statistics.record(operation) {
                    $0.latencies.record(nanoseconds: elapsed)
                    $0.bytes += UInt64(bytes)
                    if !found { $0.notFound += 1 }
                }
            case .wrong(let fault, _):
                statistics.record(operation) { $0.wrong += 1 }
                return statistics.note(fault: "\(operation) \(key): wrong content: \(fault)")
            case .failed(let reason, let mayRetry):
                guard mayRetry, attempt < plan.retries else {
                    statistics.record(operation) { $0.errors += 1 }
                    return statistics.note(fault: "\(operation) \(key): \(reason)")
                }
                statistics.record(operation) { $0.retries += 1 }
                await pause(after: attempt)
            }
        }
    }

    private func pause(after attempt: Int) async {
        target.moveOn()
        let pause = Double.random(in: 0.5..<1, using: &random) * 50 * Double(1 << min(attempt, 6))
        try? await Task.sleep(for: .milliseconds(pause))
    }

    /// Each attempt is an operation of its own for the history, and each put writes a version of its own: an attempt
    /// without an answer may take effect beside the one that succeeds.
    private func attemptOnce(_ planned: PlannedOperation, turn: Int, isFirst: Bool) async -> OperationResult {
        let content = planned.operation.writesContent ? nextContent(planned, isFirst: isFirst) : nil
        let call = MonotonicClock.now()
        var result: OperationResult
        do {
            result = try await target.perform(planned, turn: turn, content, isolation: #isolation)
        } catch {
            result = .failed("\(error)", mayRetry: true)
        }
        record(planned, content, result, call)
        return result
    }

    private func nextContent(_ planned: PlannedOperation, isFirst: Bool) -> ObjectContent {
        if isFirst, let version = planned.version { return ObjectContent(key: planned.key, version: version) }
        versions += 1
        let size = planned.version?.size ?? planned.size ?? plan.sizes.size(&random)
        return ObjectContent(
            key: planned.key, version: ObjectVersion(run: plan.run, client: id, number: versions, size: size))
    }

    private func record(
        _ planned: PlannedOperation, _ content: ObjectContent?, _ result: OperationResult, _ call: Int64
    ) {
        guard !recorders.isEmpty else { return }
        let kind: HistoryOperation.Kind
        switch planned.operation {
        case .put, .multipart: kind = .put
        case .get, .head: kind = .get
        case .delete: kind = .delete
        case .list, .ping: return
        }
        var entry = HistoryOperation(client: id, key: planned.key, kind: kind, call: call)
        entry.value = content.map { "\($0.version)" }
        switch result {
        case .done(_, _, let version):
            entry.value = entry.value ?? version.map { "\($0)" }
            entry.outcome = .ok
            entry.returned = MonotonicClock.now()
        case .wrong(_, let version):
            entry.value = entry.value ?? version.map { "\($0)" }
            entry.outcome = .unknown
        case .failed(_, let mayRetry):
            entry.outcome = mayRetry ? .unknown : .failed
            entry.returned = mayRetry ? nil : MonotonicClock.now()
        }
        for recorder in recorders { recorder.record(entry) }
    }
}
