import Foundation
import Logging
import Observability
import Testing
import Threads

@testable import Storage

/// A disk whose segments are only numbers.
private final class FakeSubject: ScrubSubject {
    struct State {
        var sealed: [UInt32] = [1, 2, 3]
        var read: [UInt32] = []
        var lostLooks = 0
        /// The segment that cannot be read.
        var failing: UInt32?
        /// Bytes told for each segment.
        var bytes = 1
    }

    let path: String
    let isBusy = false
    let state = Monitor(State())

    init() throws {
        path = NSTemporaryDirectory() + "scrubber-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var sealedSegments: [(number: UInt32, bytes: Int)] { state.withLock { $0.sealed.map { ($0, 1000) } } }

    func scrub(_ segment: UInt32, proceed: (Int) -> Bool) throws -> ScrubFindings? {
        let (isFailing, bytes) = state.withLock { ($0.failing == segment, $0.bytes) }
        if isFailing { throw StorageError.unavailable("no") }
        guard proceed(bytes) else { return nil }
        state.withLock { $0.read.append(segment) }
        state.wake()
        return ScrubFindings(bytes: bytes, records: 1)
    }

    func scrubLostSegments() throws -> ScrubFindings {
        state.withLock { $0.lostLooks += 1 }
        return ScrubFindings(damagedContent: 1)
    }

    /// Waits until so many segments were read; a test that hangs here has failed.
    func waitForReads(_ count: Int) -> [UInt32] {
        state.waiting { state, waiter in
            while state.pointee.read.count < count { waiter.wait() }
            return state.pointee.read
        }
    }
}

@Suite struct ScrubberTests {
    private let subject: FakeSubject

    init() throws { subject = try FakeSubject() }

    private func scrubber(interval: Int64 = 0, rate: Int = 1 << 30) -> Scrubber {
        let scrubber = Scrubber(
            subject, settings: .init(rate: rate, interval: interval), metrics: ScrubMetrics(MetricsRegistry()),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        scrubber.start()
        return scrubber
    }

    @Test("A round on command reads every segment once and is told of; the next only when it is due")
    func onCommand() {
        let scrubber = scrubber()
        defer { scrubber.stop() }
        #expect(scrubber.status.state == "idling")
        scrubber.begin()
        #expect(subject.waitForReads(3) == [1, 2, 3])
        while scrubber.status.state != "idling" { sched_yield() }
        scrubber.begin()
        #expect(subject.waitForReads(6) == [1, 2, 3, 1, 2, 3])
    }

    @Test("An interval begins rounds by itself")
    func interval() {
        let scrubber = scrubber(interval: 1)
        #expect(subject.waitForReads(9).prefix(3) == [1, 2, 3])
        scrubber.stop()
        #expect(subject.state.withLock { $0.lostLooks } >= 3)
    }

    @Test("A restart goes on with the segments that are left")
    func restart() throws {
        subject.state.withLock { $0.bytes = 1_000_000 }
        let first = scrubber(rate: 10_000_000)
        first.begin()
        _ = subject.waitForReads(1)
        first.stop()
        let read = subject.state.withLock { $0.read }
        try #require(read.count < 3)
        let second = scrubber()
        #expect(second.status.state == "running" && second.status.segmentsLeft == 3 - read.count)
        #expect(subject.waitForReads(3) == [1, 2, 3])
        second.stop()
    }

    @Test("Suspended, it reads nothing and stays so over a restart; resumed, it goes on")
    func suspend() {
        subject.state.withLock { $0.bytes = 1000 }
        let first = scrubber(rate: 1)
        first.begin()
        first.suspend()
        #expect(first.status.state == "suspending")
        first.stop()
        #expect(subject.state.withLock { $0.read.isEmpty })
        let second = scrubber()
        #expect(second.status.state == "suspending" && second.status.segmentsLeft == 3)
        second.resume()
        #expect(subject.waitForReads(3) == [1, 2, 3])
        second.stop()
    }

    @Test("A segment that cannot be read stops nothing and is told of")
    func failing() {
        subject.state.withLock { $0.failing = 2 }
        let scrubber = scrubber()
        scrubber.begin()
        #expect(subject.waitForReads(2) == [1, 3])
        scrubber.stop()
        #expect(scrubber.status.lastError?.contains("segment 2") == true)
        #expect(scrubber.status.damagedRecords == 1)
    }
}
