import Linearizability
import Model
import NIOCore
import NIOHTTP1

/// One client: a request at a time over one connection.
struct LoadWorker {
    let number: Int
    let run: LoadRun
    private let client: S3LoadClient
    private var random: SeededRandom
    private var chooser: KeyChooser
    private var version: UInt64
    private var tally = LoadTally()
    private var nextStart = ContinuousClock.now

    init(number: Int, run: LoadRun, group: any EventLoopGroup) {
        self.number = number
        self.run = run
        client = S3LoadClient(target: run.plan.target, group: group, timeout: run.plan.timeout)
        random = SeededRandom(seed: run.plan.seed &+ UInt64(number) &* 0x9e37_79b9_7f4a_7c15)
        chooser = KeyChooser(run.plan.choice, keys: run.plan.keys, worker: number, workers: run.plan.concurrency)
        version = UInt64(number) << 40
    }

    mutating func work() async -> LoadTally {
        while run.takeRequest() {
            await pace()
            let errors = tally.errors
            await request()
            run.noteDone(failed: tally.errors > errors)
        }
        client.close()
        return tally
    }

    /// Keeps to the rate, if there is one. A late worker catches up.
    private mutating func pace() async {
        guard let rate = run.plan.rate else { return }
        nextStart += .seconds(Double(run.plan.concurrency) / rate)
        try? await Task.sleep(until: nextStart, clock: .continuous)
    }

    private mutating func request() async {
        let index = chooser.choose(using: &random)
        let key = run.plan.prefix + (run.plan.ownKeys ? "\(number)/" : "") + "key-\(index)"
        switch run.plan.mix.choose(using: &random) {
        case .put: await put(key)
        case .get: await get(key)
        case .head: await simple(.head, .HEAD, key: key)
        case .delete: await delete(key)
        case .list: await simple(.list, .GET, key: nil, query: "list-type=2&max-keys=1000&prefix=")
        }
    }

    private mutating func put(_ key: String) async {
        version += 1
        let content = ObjectContent(key: key, version: version, size: run.plan.sizes.choose(using: &random))
        let bytes = content.bytes
        note(key, size: content.size, acknowledged: false)
        let call = run.now
        let answer = await send(.put, .PUT, key: key, body: bytes)
        let ok = answer?.status == .ok
        if ok { note(key, size: content.size, acknowledged: true) }
        tally.bytesSent += UInt64(bytes.readableBytes)
        record(.put, key, value: version, from: call, answer)
    }

    private mutating func delete(_ key: String) async {
        version += 1
        note(key, size: nil, acknowledged: false)
        let call = run.now
        let answer = await send(.delete, .DELETE, key: key)
        if answer?.status == .noContent { note(key, size: nil, acknowledged: true) }
        record(.delete, key, value: nil, from: call, answer)
    }

    private mutating func get(_ key: String) async {
        let call = run.now
        guard let answer = await send(.get, .GET, key: key) else { return }
        // A read without an answer says nothing.
        guard answer.status == .ok else {
            record(.get, key, value: nil, from: call, answer)
            return
        }
        tally.bytesReceived += UInt64(answer.body.readableBytes)
        let claimed = ObjectContent.claimed(by: answer.body)
        if let claimed {
            if claimed.key != key || !claimed.matches(answer.body) { wrongBytes(key) }
        } else if answer.body.readableBytes >= ObjectContent.headSizeMax {
            wrongBytes(key)
        }
        record(.get, key, value: claimed?.version, from: call, answer)
    }

    private mutating func wrongBytes(_ key: String) {
        tally.wrongBytes += 1
        tally.fail("\(LoadError.wrongBytes(key: key))")
    }

    private mutating func simple(
        _ operation: LoadOperation, _ method: HTTPMethod, key: String?, query: String = ""
    ) async {
        _ = await send(operation, method, key: key, query: query)
    }

    /// Sends until there is an answer that is not the server's failure, or the retries are used up; nil then.
    private mutating func send(
        _ operation: LoadOperation, _ method: HTTPMethod, key: String?, query: String = "", body: ByteBuffer? = nil
    ) async -> HTTPAnswer? {
        let start = ContinuousClock.now
        var reason = ""
        for attempt in 0...run.plan.retries {
            if attempt > 0 {
                tally.retries += 1
                try? await Task.sleep(for: .milliseconds(50 << min(attempt, 6)))
            }
            do {
                let answer = try await client.send(method, key: key, query: query, body: body)
                if answer.status.code < 500 {
                    finish(operation, method, key, start, answer)
                    return answer
                }
                reason = "\(method) \(key ?? ""): \(answer.status.code) \(String(buffer: answer.body).prefix(300))"
            } catch {
                reason = "\(method) \(key ?? ""): \(error)"
            }
        }
        tally.fail(reason)
        return nil
    }

    private mutating func finish(
        _ operation: LoadOperation, _ method: HTTPMethod, _ key: String?, _ start: ContinuousClock.Instant,
        _ answer: HTTPAnswer
    ) {
        let elapsed = ContinuousClock.now - start
        tally.latencies[operation, default: .init()].record(nanoseconds: UInt64(elapsed / .nanoseconds(1)))
        let isMiss = answer.status == .notFound && operation != .put
        if answer.status.code >= 400, !isMiss {
            tally.fail("\(method) \(key ?? ""): \(answer.status.code) \(String(buffer: answer.body).prefix(300))")
        }
    }

    private func note(_ key: String, size: Int?, acknowledged: Bool) {
        try? run.acknowledged?.note(.init(key: key, version: version, size: size, acknowledged: acknowledged))
    }

    /// Without an answer the outcome of a change is unknown for ever.
    private func record(
        _ kind: HistoryOperation.Kind, _ key: String, value: UInt64?, from call: Int64, _ answer: HTTPAnswer?
    ) {
        guard let history = run.history else { return }
        let known = answer.map { $0.status.code < 300 || $0.status == .notFound } ?? false
        history.append(
            HistoryOperation(
                client: number, key: key, kind: kind, value: value.map(String.init), call: call,
                returned: known ? run.now : nil, outcome: known ? .ok : .unknown))
    }
}

/// SplitMix64: a run with the same seed makes the same choices.
struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
