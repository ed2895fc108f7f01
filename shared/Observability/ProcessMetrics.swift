import Foundation
import Model

/// What the kernel knows about this process.
public enum ProcessMetrics {
    /// Adds CPU time, memory, descriptors, start time and the build to a registry.
    public static func register(in metrics: MetricsRegistry, role: String, name: String) {
        metrics.counter("process_cpu_seconds", help: "User and system CPU time.") { cpuSeconds() }
        metrics.gauge("process_resident_memory_bytes", help: "Resident memory.") { Double(residentBytes()) }
        metrics.gauge("process_open_fds", help: "Open file descriptors.") { Double(openDescriptors()) }
        let start = Date().timeIntervalSince1970
        metrics.gauge("process_start_time_seconds", help: "Start, in seconds since 1970.") { start }
        metrics.gauge(
            "martlet_build_info", help: "Always 1; the labels say what runs.",
            labels: ["version": Version.current, "role": role, "node": name]
        ).set(1)
    }

    /// User and system time of a process, by default this one; nil when it is gone.
    public static func cpuSeconds(pid: Int32) -> Double? {
        guard let text = contents("/proc/\(pid)/stat"), let name = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: name)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Resident memory of a process and the largest it ever was; nil when it is gone.
    public static func memory(pid: Int32) -> (residentBytes: Int, peakBytes: Int)? {
        guard let text = contents("/proc/\(pid)/status") else { return nil }
        func field(_ name: String) -> Int? {
            text.split(separator: "\n").first { $0.hasPrefix(name) }?
                .split(whereSeparator: { " \t".contains($0) }).dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
        }
        guard let resident = field("VmRSS:") else { return nil }
        return (resident, field("VmHWM:") ?? resident)
    }

    private static func cpuSeconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    private static func residentBytes() -> Int { memory(pid: getpid())?.residentBytes ?? 0 }

    private static func openDescriptors() -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
    }

    /// Files of /proc have no size: they are read to the end.
    private static func contents(_ path: String) -> String? {
        guard let file = FileHandle(forReadingAtPath: path) else { return nil }
        defer { try? file.close() }
        return (try? file.readToEnd()).flatMap { $0 }.map { String(decoding: $0, as: UTF8.self) }
    }
}
