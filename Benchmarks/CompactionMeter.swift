import Foundation
import Storage

/// Lets compaction run now and then, and adds up what it does meanwhile.
struct CompactionMeter {
    private let engine: StorageEngine
    private let rate: Int
    private var began: ContinuousClock.Instant?
    private var seconds = 0.0
    private var isStarted = false
    /// It found nothing more to do while it was to run.
    private var isOver = false

    /// `rate`: bytes a second; 0: no limit.
    init(_ engine: StorageEngine, rate: Int) {
        self.engine = engine
        self.rate = rate
    }

    mutating func begin() throws {
        if isStarted { engine.resumeCompaction() } else { try engine.startCompaction(rate: rate) }
        isStarted = true
        began = .now
    }

    mutating func end() {
        isOver = isOver || engine.compactionReport.compactionStatus.status != "running"
        engine.suspendCompaction()
        if let began { seconds += (ContinuousClock.now - began) / .seconds(1) }
        began = nil
    }

    var text: String {
        let status = engine.compactionReport.compactionStatus
        let (read, moved) = (Double(status.freedBytes), Double(status.movedBytes))
        let perSecond = { (bytes: Double) in bytes / max(seconds, 0.001) / 1_048_576 }
        let text = String(
            format: "compaction: %d segments in %.0f s: %.1f MiB/s read and removed, %.1f MiB/s written again, "
                + "%.1f MiB/s won", status.removedSegments, seconds, perSecond(read), perSecond(moved),
            perSecond(read - moved))
        return isOver ? text + "\nIT RAN OUT OF WORK: fill the disk more for these lengths of time" : text
    }
}
