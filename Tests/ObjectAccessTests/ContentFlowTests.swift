import AccessTestKit
import Logging
import MessageBus
import Model
import NIOCore
import Observability
import Synchronization
import Testing
import Wire

@testable import ObjectAccess

@Suite("Large content on its way")
struct ContentFlowTests {
    private static let piece = 100_000

    private static func flow(pieces: Int, _ timers: any TimerScheduling = HeldTimers()) -> ContentFlow {
        ContentFlow(
            limit: pieces * piece, patience: .seconds(30), timers,
            waits: MetricsRegistry().counter("waits", help: "in tests"))
    }

    /// Content that stays on its way until it is told to arrive.
    private static func send(_ flow: ContentFlow, _ bytes: Int = piece, until arrival: Latch) -> Task<Void, any Error> {
        Task { try await flow.whileSending(bytes) { () async throws(AccessError) in await arrival.wait() } }
    }

    @Test("what is beyond the bound waits, and comes in order")
    func order() async throws {
        let flow = Self.flow(pieces: 2)
        let arrivals = (0..<5).map { _ in Latch() }
        var tasks: [Task<Void, any Error>] = []
        for (number, arrival) in arrivals.enumerated() {
            tasks.append(Self.send(flow, until: arrival))
            while await !arrival.isAwaited, number < 2 || flow.waiting < number - 1 { await Task.yield() }
        }
        for number in 0..<5 {
            #expect(flow.waiting == max(0, 3 - number))
            while await !arrivals[number].isAwaited { await Task.yield() }
            if number < 3 { #expect(await !arrivals[number + 2].isAwaited) }
            await arrivals[number].open()
            try await tasks[number].value
        }
    }

    @Test("small content passes those that wait; what is larger than the bound has its turn alone")
    func sizes() async throws {
        let flow = Self.flow(pieces: 1)
        let (first, large) = (Latch(), Latch())
        let sending = Self.send(flow, until: first)
        while await !first.isAwaited { await Task.yield() }
        let waiting = Self.send(flow, 10 * Self.piece, until: large)
        while flow.waiting == 0 { await Task.yield() }
        try await flow.whileSending(ContentFlow.smallMax) { () async throws(AccessError) in }
        await first.open()
        try await sending.value
        while await !large.isAwaited { await Task.yield() }
        await large.open()
        try await waiting.value
        #expect(flow.waiting == 0)
    }

    @Test("who is cancelled or waits for too long is refused, and those behind have room")
    func refusals() async throws {
        let timers = HeldTimers()
        let flow = Self.flow(pieces: 2, timers)
        let (first, last) = (Latch(), Latch())
        let sending = Self.send(flow, until: first)
        while await !first.isAwaited { await Task.yield() }
        // Larger than what is left, so that the small one behind it waits too.
        let impatient = Self.send(flow, 2 * Self.piece, until: Latch())
        while timers.count < 1 { await Task.yield() }
        let cancelled = Self.send(flow, 2 * Self.piece, until: Latch())
        while flow.waiting < 2 { await Task.yield() }
        let behind = Self.send(flow, until: last)
        while flow.waiting < 3 { await Task.yield() }
        cancelled.cancel()
        await #expect(throws: AccessError.self) { try await cancelled.value }
        #expect(flow.waiting == 2)
        timers.fireFirst()
        await #expect(throws: AccessError.self) { try await impatient.value }
        while await !last.isAwaited { await Task.yield() }
        await first.open()
        await last.open()
        try await sending.value
        try await behind.value
        // All room is there again.
        try await flow.whileSending(2 * Self.piece) { () async throws(AccessError) in }
    }

    @Test("a task that is cancelled before it waits is refused")
    func cancelledBefore() async throws {
        let flow = Self.flow(pieces: 1)
        let first = Latch()
        let sending = Self.send(flow, until: first)
        while await !first.isAwaited { await Task.yield() }
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            try await flow.whileSending(Self.piece) { () async throws(AccessError) in }
        }
        task.cancel()
        await #expect(throws: AccessError.self) { try await task.value }
        await first.open()
        try await sending.value
    }

    @Test("more puts at once than peers take bytes all succeed, as chunks and beside registers")
    func manyPuts() async throws {
        let cluster = FakeStorageCluster()
        let bus = BoundedBus(cluster, bytesPerPeer: 50 * Self.piece)
        var options = AccessOptions()
        options.contentInFlightMax = 10 * Self.piece
        let registers = RegisterClient(
            bus: bus, cluster: cluster, writer: 1, logger: Logger(label: "test"), metrics: MetricsRegistry(),
            options: options, timers: cluster)
        let chunks = ChunkClient(registers)
        let bytes = ByteBuffer(repeating: 7, count: Self.piece)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<100 {
                group.addTask {
                    let blob = BlobID(high: 1, low: UInt64(number))
                    if number.isMultiple(of: 2) {
                        try await chunks.put(ChunkName(blob: blob, index: 0), bytes, owner: name("big-\(number)"))
                    } else {
                        _ = try await registers.update(
                            name("small-\(number)"), staged: StagedBlob(id: blob, bytes: bytes)
                        ) { _ in .write(record("small", blob: blob)) }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(bus.refused == 0)
    }
}

/// Opened once; until then those who wait for it stay.
private actor Latch {
    private var isOpen = false
    private var waiter: CheckedContinuation<Void, Never>?
    var isAwaited: Bool { waiter != nil }

    func wait() async {
        if isOpen { return }
        await withCheckedContinuation { waiter = $0 }
    }

    func open() {
        isOpen = true
        waiter?.resume()
        waiter = nil
    }
}

/// Timers that fire when a test says so.
private final class HeldTimers: TimerScheduling {
    private let held = Mutex<[@Sendable () -> Void]>([])

    var count: Int { held.withLock { $0.count } }

    func after(_ delay: Duration, _ body: @escaping @Sendable () -> Void) { held.withLock { $0.append(body) } }

    func fireFirst() { held.withLock { $0.removeFirst() }() }
}

/// Refuses what is more than a peer may have in flight, as the real bus does.
private final class BoundedBus: RequestSending {
    private let bus: any RequestSending
    private let bytesPerPeer: Int
    private let state = Mutex<(inFlight: [NodeName: Int], refused: Int)>(([:], 0))

    init(_ bus: any RequestSending, bytesPerPeer: Int) {
        self.bus = bus
        self.bytesPerPeer = bytesPerPeer
    }

    var refused: Int { state.withLock { $0.refused } }

    func send(
        _ type: MessageType, body: [UInt8], payload: [ByteBuffer], to peer: NodeName, timeout: Duration,
        context: MessageContext, completion: @escaping @Sendable (Result<BusReply, BusError>) -> Void
    ) {
        let bytes = payload.reduce(0) { $0 + $1.readableBytes }
        let isTaken = state.withLock { state in
            guard state.inFlight[peer, default: 0] + bytes <= bytesPerPeer else {
                state.refused += 1
                return false
            }
            state.inFlight[peer, default: 0] += bytes
            return true
        }
        guard isTaken else { return completion(.failure(BusError(.overloaded, "too much in flight"))) }
        bus.send(type, body: body, payload: payload, to: peer, timeout: timeout, context: context) { [self] result in
            state.withLock { $0.inFlight[peer]! -= bytes }
            completion(result)
        }
    }
}
