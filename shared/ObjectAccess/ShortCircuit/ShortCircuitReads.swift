import Model
import NIOCore
import ObjectLog
import Observability
import Synchronization
import Threads

/// Reads large content where it stands in the log of a storage node on the same machine, which only says where: what HDFS calls
/// short-circuit local reads. The bytes pass no second process, and every checksum of the record is verified here.
///
/// A node whose log cannot be read (it is on another machine, or belongs to another account), or only slowly, sends its
/// content, and is not asked for places for a while.
final class ShortCircuitReads: Sendable {
    static let threads = 4
    /// Reads that may wait for a thread; beyond it content is sent.
    static let queueMax = 256
    static let barredFor = Duration.seconds(10)

    let known = KnownPlaces()
    private let pool = WorkerPool(queueMax: queueMax)
    private let barred = Mutex<[NodeName: ContinuousClock.Instant]>([:])
    private let timers: any TimerScheduling
    private let patience: Duration
    private let taken: Counter
    private let sent: Counter

    /// - Parameter patience: how long a read may take, the wait for a thread included.
    init(_ timers: any TimerScheduling, patience: Duration, _ registry: MetricsRegistry) {
        self.timers = timers
        self.patience = patience
        let (name, help) = (
            "martlet_short_circuit_reads_total", "Large content read from the log of a node, or sent by it after all"
        )
        taken = registry.counter(name, help: help, labels: ["result": "read"])
        sent = registry.counter(name, help: help, labels: ["result": "sent"])
        pool.start(threads: Self.threads, name: "log-reader")
    }

    deinit { pool.end() }

    /// Whether to ask the node for places.
    func isOpen(to node: NodeName) -> Bool {
        barred.withLock { barred in
            guard let end = barred[node] else { return true }
            if end <= .now { barred[node] = nil }
            return end <= .now
        }
    }

    /// The whole content if this machine has it in memory. Never waits.
    func atHand(_ place: ContentPlace) -> ByteBuffer? {
        guard let record = place.log.cached(at: place.position, size: place.recordSize),
            record.payloadChecksum == place.checksum
        else { return nil }
        taken.increment()
        return record.payload
    }

    /// `completion` is called once, on any thread, with the whole content; nil: the node must send it.
    /// - Parameter isRemembered: the place was not told just now: it says nothing of the node that its segment is gone.
    func read(
        _ place: ContentPlace, isRemembered: Bool = false, _ completion: @escaping @Sendable (ByteBuffer?) -> Void
    ) {
        let answer = FirstAnswer { [taken, sent] content in
            (content == nil ? sent : taken).increment()
            completion(content)
        }
        let isAccepted = pool.submit { [weak self] in answer.give(self?.content(of: place, isRemembered)) }
        guard isAccepted else {
            answer.give(nil)
            return
        }
        // A device that hangs keeps its reader, but not those who wait for it.
        timers.after(patience) { [weak self] in
            if answer.give(nil) { self?.bar(place.node) }
        }
    }

    /// nil also when compaction has moved it, or it is damaged, which the node finds when it reads it itself.
    private func content(of place: ContentPlace, _ isRemembered: Bool) -> ByteBuffer? {
        do throws(ObjectLogError) {
            let record = try place.log.read(at: place.position, size: place.recordSize)
            return record.payloadChecksum == place.checksum ? record.payload : nil
        } catch {
            if error.meansNoAccess, !isRemembered { bar(place.node) }
            return nil
        }
    }

    private func bar(_ node: NodeName) { barred.withLock { $0[node] = .now + Self.barredFor } }
}

/// Passes the first of several answers on.
private final class FirstAnswer: Sendable {
    private let completion: Mutex<(@Sendable (ByteBuffer?) -> Void)?>

    init(_ completion: @escaping @Sendable (ByteBuffer?) -> Void) { self.completion = Mutex(completion) }

    /// Whether it was the first.
    @discardableResult
    func give(_ content: ByteBuffer?) -> Bool {
        let completion = completion.withLock { completion in
            defer { completion = nil }
            return completion
        }
        completion?(content)
        return completion != nil
    }
}

extension ObjectLogError {
    /// The file is not there, not ours to read, or of another disk.
    fileprivate var meansNoAccess: Bool {
        switch self {
        case .file(let error): error.operation == "open"
        case .foreign, .newerFormat: true
        default: false
        }
    }
}
