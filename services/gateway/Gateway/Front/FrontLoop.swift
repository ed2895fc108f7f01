import NIOCore
import S3Protocol
import Synchronization

/// What the connections of one event loop share.
final class FrontLoop: Sendable {
    let eventLoop: any EventLoop
    let executor: EventLoopTaskExecutor
    private let clock: @Sendable () -> Int64
    private let connections: NIOLoopBoundBox<[ObjectIdentifier: HTTPConnection]>
    private let formatted = Mutex<(seconds: Int64, text: String)>((.min, ""))
    private let draining = Atomic<Bool>(false)

    /// - Parameter clock: Seconds since 1970.
    init(_ eventLoop: any EventLoop, clock: @escaping @Sendable () -> Int64) {
        self.eventLoop = eventLoop
        self.clock = clock
        executor = EventLoopTaskExecutor(eventLoop)
        connections = .makeBoxSendingValue([:], eventLoop: eventLoop)
    }

    /// No further requests on connections that are kept alive.
    var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// The present time as a `Date` header; formatted once a second.
    func date() -> String {
        let now = clock()
        return formatted.withLock { known in
            if known.seconds != now { known = (now, HTTPDate.format(now)) }
            return known.text
        }
    }

    func add(_ connection: HTTPConnection) { connections.value[ObjectIdentifier(connection)] = connection }

    func remove(_ connection: HTTPConnection) { connections.value[ObjectIdentifier(connection)] = nil }

    /// Checks deadlines once a second, for as long as the event loop runs.
    func startTicking() -> RepeatedTask {
        eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { [self] _ in
            let now = NIODeadline.now()
            for connection in connections.value.values { connection.tick(now) }
        }
    }

    /// Looks often how late the event loop is with what was due: what has come meanwhile waits as long.
    func startProbing(_ note: @escaping @Sendable (Duration) -> Void) -> RepeatedTask {
        let interval = TimeAmount.milliseconds(50)
        let due = NIOLoopBoundBox.makeBoxSendingValue(NIODeadline.now() + interval, eventLoop: eventLoop)
        return eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            let now = NIODeadline.now()
            note(.nanoseconds(max(0, (now - due.value).nanoseconds)))
            due.value = now + interval
        }
    }

    func drain() {
        draining.store(true, ordering: .relaxed)
        eventLoop.execute { [self] in
            for connection in connections.value.values { connection.drain() }
        }
    }

    func closeAll() async {
        try? await eventLoop.submit { [self] in
            for connection in connections.value.values { connection.abort() }
        }.get()
    }

    func connectionCount() async -> Int {
        (try? await eventLoop.submit { [self] in connections.value.count }.get()) ?? 0
    }
}
