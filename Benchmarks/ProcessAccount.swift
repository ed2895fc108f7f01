import Foundation
import Glibc

/// What the kernel counts for the process.
enum ProcessAccount {
    static var residentMebibytes: Double { number("VmRSS:", in: "/proc/self/status") / 1024 }
    /// The most since the last `resetPeak`.
    static var peakMebibytes: Double { number("VmHWM:", in: "/proc/self/status") / 1024 }
    /// Bytes that came from devices, not from the page cache.
    static var deviceBytes: Double { number("read_bytes:", in: "/proc/self/io") }

    /// CPU time, of a thread and of all threads.
    static var threadSeconds: Double { clock(CLOCK_THREAD_CPUTIME_ID) }
    static var processSeconds: Double { clock(CLOCK_PROCESS_CPUTIME_ID) }

    private static func clock(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    static func resetPeak() { try? "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8) }

    private static func number(_ name: String, in file: String) -> Double {
        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix(name) } ?? ""
        let words = line.split { $0 == " " || $0 == "\t" }
        return words.count > 1 ? Double(words[1]) ?? 0 : 0
    }
}

/// What a benchmark has taken since it began, beside a limit.
struct MemoryAccount {
    private let limit: Double
    private let before: Double

    init(limitMebibytes: Int) {
        limit = Double(limitMebibytes)
        ProcessAccount.resetPeak()
        before = ProcessAccount.residentMebibytes
    }

    var text: String {
        let peak = ProcessAccount.peakMebibytes - before
        return String(
            format: "memory %.0f MiB, at most %.0f MiB: %.0f %% of the limit of %.0f MiB (%.0f MiB before)",
            ProcessAccount.residentMebibytes - before, peak, peak / limit * 100, limit, before)
    }
}
