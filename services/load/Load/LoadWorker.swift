import Linearizability
import NIOCore
import NIOHTTP1
import S3Protocol

/// One client: takes turns until there are none. Runs on its event loop, so that no request changes threads.
actor LoadWorker {
    private let eventLoop: any NIOSerialEventLoopExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

    private let id: Int
    private let plan: LoadPlan
    private let client: S3Client
    private let pacer: Pacer
    private let statistics: LoadStatistics
    private let recorders: [OperationRecorder]
    private var random: SeededRandom
    private var versions = 0

    init(
        id: Int, plan: LoadPlan, settings: S3ClientSettings, pacer: Pacer, statistics: LoadStatistics,
        recorders: [OperationRecorder], on eventLoop: any EventLoop & NIOSerialEventLoopExecutor
    ) {
        self.id = id
        self.plan = plan
        self.pacer = pacer
        self.statistics = statistics
        self.recorders = recorders
        self.eventLoop = eventLoop
        client = S3Client(settings, on: eventLoop, first: id)
        random = SeededRandom(seed: plan.seed &+ UInt64(id) &* 0x9e37_79b9)
    }

    func run() async {
        while let turn = pacer.next() {
            let wait = turn.due - MonotonicClock.now()
            if wait > 0 { try? await Task.sleep(for: .nanoseconds(wait)) }
            let operation = plan.operation(&random)
            let key = plan.keys.key(plan.keys.index(turn: turn.number, &random))
            await perform(operation, key, since: max(turn.due, 0))
        }
        client.close()
    }

    /// One operation with its retries.
    private func perform(_ operation: LoadOperation, _ key: String, since due: Int64) async {
        for attempt in 0...plan.retries {
            let result = await attemptOnce(operation, key)
            switch result {
            case .done(let bytes, let found):
                let elapsed = MonotonicClock.now() - due
                statistics.record(operation) {
                    $0.latencies.record(nanoseconds: elapsed)
                    $0.bytes += UInt64(bytes)
                    if !found { $0.notFound += 1 }
                }
                return
            case .wrong(let fault):
                statistics.record(operation) { $0.wrong += 1 }
                return statistics.note(fault: "\(operation) \(key): wrong content: \(fault)")
            case .failed(let reason, let mayRetry):
                guard mayRetry, attempt < plan.retries else {
                    statistics.record(operation) { $0.errors += 1 }
                    return statistics.note(fault: "\(operation) \(key): \(reason)")
                }
                statistics.record(operation) { $0.retries += 1 }
                client.moveOn()
                let pause = Double.random(in: 0.5..<1, using: &random) * 50 * Double(1 << min(attempt, 6))
                try? await Task.sleep(for: .milliseconds(pause))
            }
        }
    }

    private enum AttemptResult {
        case done(bytes: Int, found: Bool)
        case wrong(String)
        case failed(String, mayRetry: Bool)
    }

    /// Each attempt is an operation of its own for the history, and each put writes a version of its own: an attempt
    /// without an answer may take effect beside the one that succeeds.
    private func attemptOnce(_ operation: LoadOperation, _ key: String) async -> AttemptResult {
        let content = operation.writesContent ? nextContent(key) : nil
        let call = MonotonicClock.now()
        do {
            let answer = try await send(operation, key, content)
            let result = judge(operation, answer, content)
            record(operation, key, content, answer, result, call)
            return result
        } catch {
            record(operation, key, content, nil, .failed("\(error)", mayRetry: true), call)
            return .failed("\(error)", mayRetry: true)
        }
    }

    private func nextContent(_ key: String) -> ObjectContent {
        versions += 1
        let size = plan.sizes.size(&random)
        return ObjectContent(key: key, version: ObjectVersion(run: plan.run, client: id, number: versions, size: size))
    }

    private func send(
        _ operation: LoadOperation, _ key: String, _ content: ObjectContent?
    ) async throws -> S3Answer {
        let path = "/\(plan.bucket)/\(PercentEncoding.encode(key))"
        let wanted: S3Exchange.Wanted = plan.checks ? .content(key: key) : .length
        switch operation {
        case .put:
            return try await client.send(
                .PUT, path: path, body: content.map(S3Body.whole) ?? .nothing, version: content?.version
            ).get()
        case .multipart:
            guard let content else { preconditionFailure("a put has content") }
            return try await MultipartUpload(client: client, path: path, content: content, partSize: plan.partSize)
                .run()
        case .get: return try await client.send(.GET, path: path, wanted: wanted).get()
        case .head: return try await client.send(.HEAD, path: path, wanted: wanted).get()
        case .delete: return try await client.send(.DELETE, path: path).get()
        case .list:
            let prefix = PercentEncoding.encode(plan.keys.prefix)
            let query = "list-type=2&max-keys=\(plan.listKeys)&prefix=\(prefix)"
            return try await client.send(.GET, path: "/\(plan.bucket)", query: query, wanted: .text).get()
        }
    }

    private func judge(_ operation: LoadOperation, _ answer: S3Answer, _ content: ObjectContent?) -> AttemptResult {
        switch answer.status {
        case 200..<300:
            if let fault = answer.fault { return .wrong(fault) }
            if operation == .list, !answer.text.hasSuffix("</ListBucketResult>") { return .wrong("a cut listing") }
            return .done(bytes: content?.size ?? answer.bytes, found: true)
        case 404 where operation == .get || operation == .head:
            guard answer.text.isEmpty || answer.text.contains("NoSuchKey") else { break }
            return .done(bytes: 0, found: false)
        default: break
        }
        let code = answer.text.firstMatch(of: /<Code>([^<]*)<\/Code>/).map { String($0.1) } ?? ""
        return .failed("\(answer.status) \(code)", mayRetry: answer.status >= 500 || answer.status == 429)
    }

    private func record(
        _ operation: LoadOperation, _ key: String, _ content: ObjectContent?, _ answer: S3Answer?,
        _ result: AttemptResult, _ call: Int64
    ) {
        guard !recorders.isEmpty else { return }
        let kind: HistoryOperation.Kind
        switch operation {
        case .put, .multipart: kind = .put
        case .get, .head: kind = .get
        case .delete: kind = .delete
        case .list: return
        }
        var entry = HistoryOperation(client: id, key: key, kind: kind, call: call)
        entry.value = content.map { "\($0.version)" } ?? answer?.version.map { "\($0)" }
        switch result {
        case .done:
            entry.outcome = .ok
            entry.returned = MonotonicClock.now()
        case .wrong: entry.outcome = .unknown
        case .failed(_, let mayRetry):
            entry.outcome = mayRetry ? .unknown : .failed
            entry.returned = mayRetry ? nil : MonotonicClock.now()
        }
        for recorder in recorders { recorder.record(entry) }
    }
}
