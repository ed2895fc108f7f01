import Logging
import Synchronization

/// The scrub of one disk in service: begins once, ends with the disk.
struct DiskScrub: Sendable {
    private(set) var scrubber: Scrubber?
    private(set) var isOver = false

    mutating func start(_ make: () -> Scrubber) {
        guard scrubber == nil, !isOver else { return }
        scrubber = make()
        scrubber?.start()
    }

    /// Whoever calls stops it.
    mutating func end() -> Scrubber? {
        isOver = true
        defer { scrubber = nil }
        return scrubber
    }
}

extension DiskReplica {
    func startScrub(_ settings: Scrubber.Settings, _ metrics: ScrubMetrics) {
        scrub.withLock { $0.start { Scrubber(self, settings: settings, metrics: metrics, logger: logger) } }
    }

    /// Somebody stops the disk: whoever reads it for long lets go of it.
    var isEnding: Bool { scrub.withLock(\.isOver) }

    func stopScrub() { scrub.withLock { $0.end() }?.stop() }
}

extension StorageEngine {
    /// Disks that come into service are scrubbed from then on.
    func startScrubs() {
        guard let settings = options.scrub else { return }
        for disk in disks { disk.startScrub(settings, scrubMetrics) }
    }

    var scrubbers: [Scrubber] { disks.compactMap { $0.scrub.withLock(\.scrubber) } }
}
