import ClusterState
import Foundation
import Logging
import Threads

/// Reads one disk from end to end, again and again, at a set rate: the shell around `ScrubHistory`.
final class Scrubber: Sendable {
    struct Settings: Sendable {
        /// Bytes per second.
        var rate: Int
        /// From the beginning of one round to that of the next, milliseconds; 0: only on demand.
        var interval: Int64
    }

    private struct State {
        var history: ScrubHistory
        var pace: BytePace
        /// Of the present round since this start, or of the last one.
        var findings = ScrubFindings()
        /// Bytes of the segments of this round that are done, the part of the present one included.
        var bytesDone = 0
        var workStarted: Duration?
        /// What the index says of segments that are gone comes first, at each start and in each round.
        var mustLookForLost = true
        var isStopping = false
        var thread: BlockingThread?
        var lastError: String?
    }

    private let subject: any ScrubSubject
    private let settings: Settings
    private let file: String
    private let metrics: ScrubMetrics
    private let logger: Logger
    private let state: Monitor<State>
    private let origin = ContinuousClock.now

    /// Longest that foreground work can hold up one step: scrubbing slows down, it never ends.
    private static let yieldsMax = 40
    private static let yieldMilliseconds = 50

    init(_ subject: any ScrubSubject, settings: Settings, metrics: ScrubMetrics, logger: Logger) {
        self.subject = subject
        self.settings = settings
        self.metrics = metrics
        self.logger = logger
        file = subject.path + "/scrub.json"
        state = Monitor(
            State(history: Self.load(file, logger), pace: BytePace(perSecond: settings.rate, now: .zero)))
    }

    func start() {
        state.withLock { $0.thread = BlockingThread(name: "scrub") { self.run() } }
    }

    func stop() {
        let thread = state.withLock { state in
            state.isStopping = true
            return state.thread
        }
        state.wake()
        thread?.join()
    }

    // MARK: - Commands

    /// Begins a round now, unless one is under way. `rate`: from now on; nil: as it was.
    func begin(rate: Int? = nil) {
        let sealed = subject.sealedSegments.map(\.number)
        change { state in
            if let rate { state.pace.change(perSecond: rate) }
            state.history.isSuspended = false
            guard !state.history.isRunning else { return }
            beginRound(sealed, &state)
        }
    }

    func suspend() { change { $0.history.isSuspended = true } }
    func resume() { change { $0.history.isSuspended = false } }

    private func change(_ body: (inout State) -> Void) {
        state.withLock { state in
            body(&state)
            save(state.history)
        }
        state.wake()
    }

    var status: ScrubStatus {
        let sealed = subject.sealedSegments
        return state.withLock { state in
            let left = Set(state.history.left(of: sealed.map(\.number)))
            let bytesLeft = sealed.reduce(0) { left.contains($1.number) ? $0 + $1.bytes : $0 }
            let seconds = state.workStarted.map { (now - $0) / .seconds(1) } ?? 0
            return ScrubStatus(
                path: subject.path, history: state.history, findings: state.findings, segmentsTotal: sealed.count,
                segmentsLeft: left.count, bytesLeft: bytesLeft, rateLimit: Int(state.pace.perSecond),
                bytesPerSecond: seconds > 1 ? Double(state.bytesDone) / seconds : nil, lastError: state.lastError)
        }
    }

    // MARK: - Thread

    private var now: Duration { origin.duration(to: .now) }

    private static var wallMilliseconds: Int64 { DiskReplica.wallMilliseconds }

    private enum Work {
        /// nil: what the index says of segments that are gone.
        case segment(UInt32?)
        case waited
        case stop
    }

    private func run() {
        while true {
            switch next(subject.sealedSegments.map(\.number)) {
            case .segment(let segment): scrub(segment)
            case .waited: break
            case .stop: return
            }
        }
    }

    private func scrub(_ segment: UInt32?) {
        do {
            let findings = try segment.map { try subject.scrub($0) { proceed($0) } } ?? subject.scrubLostSegments()
            if let findings { finished(segment, findings) }
        } catch {
            // It is tried again in the next round; the others go on.
            let name = segment.map { "segment \($0)" } ?? "lost segments"
            logger.error(
                "a segment cannot be scrubbed",
                metadata: ["disk": "\(subject.path)", "segment": "\(name)", "error": "\(error)"])
            state.withLock { $0.lastError = "\(name): \(error)" }
            finished(segment, ScrubFindings())
        }
    }

    private func finished(_ segment: UInt32?, _ findings: ScrubFindings) {
        metrics.count(findings)
        state.withLock { state in
            state.findings.add(findings)
            guard let segment else { return state.mustLookForLost = false }
            state.history.scrubbed(segment, now: Self.wallMilliseconds)
            save(state.history)
        }
    }

    /// What to do next; waits when there is nothing.
    private func next(_ sealed: [UInt32]) -> Work {
        state.waiting { state, waiter in
            if state.pointee.isStopping { return .stop }
            if state.pointee.history.isSuspended {
                state.pointee.workStarted = nil
                waiter.wait()
                return .waited
            }
            if state.pointee.mustLookForLost { return .segment(nil) }
            if let segment = state.pointee.history.left(of: sealed).first {
                if state.pointee.workStarted == nil { state.pointee.workStarted = now }
                return .segment(segment)
            }
            rest(&state.pointee, sealed, waiter)
            return .waited
        }
    }

    /// Nothing is left to read: ends the round, or waits for the next.
    private func rest(_ state: inout State, _ sealed: [UInt32], _ waiter: Monitor<State>.Waiter) {
        let wall = Self.wallMilliseconds
        if state.history.isRunning {
            state.history.finish(sealed, now: wall)
            state.workStarted = nil
            metrics.lastFinished.set(Double(wall) / 1000)
            save(state.history)
            logger.info(
                "scrubbed",
                metadata: [
                    "disk": "\(subject.path)", "bytes": "\(state.findings.bytes)",
                    "records": "\(state.findings.records)", "damaged": "\(state.findings.damagedContent)",
                ])
            return
        }
        guard let due = state.history.due(every: settings.interval) else { return waiter.wait() }
        if wall >= due {
            beginRound(sealed, &state)
            save(state.history)
        } else {
            _ = waiter.wait(milliseconds: Int(min(due - wall, 60_000)))
        }
    }

    private func beginRound(_ sealed: [UInt32], _ state: inout State) {
        state.history.begin(sealed, now: Self.wallMilliseconds)
        state.findings = ScrubFindings()
        state.bytesDone = 0
        state.workStarted = nil
        state.mustLookForLost = true
        state.lastError = nil
    }

    /// After so many bytes: waits as long as the rate and those who wait in front say. False: stop reading.
    private func proceed(_ bytes: Int) -> Bool {
        var yields = 0
        return state.waiting { state, waiter in
            state.pointee.bytesDone += bytes
            var wait = state.pointee.pace.take(bytes, now: now)
            while true {
                if state.pointee.isStopping || state.pointee.history.isSuspended { return false }
                if wait > .zero {
                    let end = now + wait
                    _ = waiter.wait(milliseconds: max(1, Int(wait / .milliseconds(1))))
                    wait = end - now
                } else if yields < Self.yieldsMax, subject.isBusy {
                    yields += 1
                    _ = waiter.wait(milliseconds: Self.yieldMilliseconds)
                } else {
                    return true
                }
            }
        }
    }

    // MARK: - File

    private static func load(_ file: String, _ logger: Logger) -> ScrubHistory {
        do {
            guard let bytes = try DurableFile.read(file) else { return ScrubHistory() }
            let history = try JSONDecoder().decode(ScrubHistory.self, from: Data(bytes))
            return history.version == ScrubHistory.formatVersion ? history : ScrubHistory()
        } catch {
            // It only says what was read when: without it everything is read again.
            logger.warning("the scrub begins anew", metadata: ["file": "\(file)", "error": "\(error)"])
            return ScrubHistory()
        }
    }

    private func save(_ history: ScrubHistory) {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            try DurableFile.write([UInt8](encoder.encode(history)), to: file, permissions: 0o644)
        } catch {
            logger.warning("the place of the scrub cannot be kept", metadata: ["file": "\(file)", "error": "\(error)"])
        }
    }
}
