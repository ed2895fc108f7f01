import ClusterState
import Configuration
import Foundation
import MessageBus

/// Verbs about what stands on the disks of a node: scrub-start, scrub-status, scrub-suspend, scrub-resume and
/// diagnose-start.
struct ScrubCommands {
    let engine: StorageEngine

    /// A small node's report is done before the answer; of a large one it is told where it is being written.
    private static let diagnosisWaitMilliseconds = 2000

    private struct Report: Encodable {
        var disks: [ScrubStatus]
        /// Damaged records of all disks that wait to be healed.
        var damaged: Int
        /// From the beginning of one scrub to that of the next; 0: only on command.
        var intervalSeconds: Int64
    }

    /// JSON; nil: not one of these verbs.
    func run(_ verb: String, _ arguments: [String]) throws -> [UInt8]? {
        switch verb {
        case "scrub-start":
            let rate = try rate(arguments)
            for scrubber in engine.scrubbers { scrubber.begin(rate: rate) }
        case "scrub-suspend": for scrubber in engine.scrubbers { scrubber.suspend() }
        case "scrub-resume": for scrubber in engine.scrubbers { scrubber.resume() }
        case "scrub-status": break
        case "diagnose-start": return try ReportCoding.encode(diagnose())
        default: return nil
        }
        return try ReportCoding.encode(
            Report(
                disks: engine.scrubbers.map(\.status), damaged: engine.damage.count,
                intervalSeconds: (engine.options.scrub?.interval ?? 0) / 1000))
    }

    /// nil: as it is configured. Arguments: nothing, or a number of bytes per second.
    private func rate(_ arguments: [String]) throws -> Int? {
        guard let text = arguments.first else { return nil }
        guard arguments.count == 1, let rate = Int(text), (1 << 10...1 << 40).contains(rate) else {
            throw BusError(.invalidArgument, "scrub-start [BYTES-PER-SECOND]")
        }
        return rate
    }

    private func diagnose() -> Diagnosis.Status {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "UTC")
        formatter.dateFormat = "yyyyMMdd'T'HHmmss"
        return engine.diagnosis.start(
            engine.disks, directory: engine.options.dataDirectory + "/log", stamp: formatter.string(from: Date()),
            waitMilliseconds: Self.diagnosisWaitMilliseconds)
    }
}
