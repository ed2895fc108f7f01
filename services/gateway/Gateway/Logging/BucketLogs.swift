import Observability
import S3Protocol
import Synchronization

/// Lines of access logs until they are delivered: a bounded buffer for each place where logs go.
///
/// Best effort, as at AWS: what a gateway that dies has not delivered is lost, and so is what there is no room for.
final class BucketLogs: Sendable {
    /// The lines of some minutes that belong into one object.
    struct Batch: Sendable {
        var place: BucketLogging
        /// Whose logs they are; the target must be this user's too.
        var owner: String
        var lines: [UInt8]
    }

    private struct Place: Hashable {
        var logging: BucketLogging
        var owner: String
    }

    static let bytesMax = 64 << 20
    /// Of one place: more than what is delivered in one object.
    static let placeBytesMax = 8 << 20

    private struct State {
        var lines: [Place: [UInt8]] = [:]
        var bytes = 0
        var parsed: [[UInt8]: BucketLogging] = [:]
    }

    private let dropped: Counter
    private let state = Mutex(State())

    init(_ metrics: MetricsRegistry) {
        dropped = metrics.counter(
            "martlet_bucket_log_lines_dropped_total",
            help: "Lines of access logs of buckets that were lost: no room, or their target cannot be written")
    }

    /// Where the bucket's log goes, by its document.
    func place(_ document: [UInt8]) -> BucketLogging? {
        state.withLock { state in
            if let known = state.parsed[document] { return known }
            guard let logging = try? BucketLogging.parse(document) else { return nil }
            if state.parsed.count >= 256 { state.parsed.removeAll() }
            state.parsed[document] = logging
            return logging
        }
    }

    func append(_ line: String, to logging: BucketLogging, owner: String) {
        let bytes = Array(line.utf8)
        let isKept = state.withLock { state in
            let place = Place(logging: logging, owner: owner)
            let present = state.lines[place]?.count ?? 0
            guard present + bytes.count <= Self.placeBytesMax, state.bytes + bytes.count <= Self.bytesMax else {
                return false
            }
            state.lines[place, default: []] += bytes
            state.bytes += bytes.count
            return true
        }
        if !isKept { dropped.increment() }
    }

    /// Everything that waits; it is the caller's then.
    func take() -> [Batch] {
        state.withLock { state in
            defer { (state.lines, state.bytes) = ([:], 0) }
            return state.lines.map { Batch(place: $0.key.logging, owner: $0.key.owner, lines: $0.value) }
        }
    }

    func lost(_ batch: Batch) { dropped.increment(by: batch.lines.count { $0 == UInt8(ascii: "\n") }) }
}
