import Foundation

/// CPU time and memory of processes, from /proc.
struct ProcessUsage: Sendable, Equatable {
    var cpuSeconds: Double
    var residentBytes: Int

    /// Sums over the processes that still live.
    static func of(_ pids: [Int32]) -> ProcessUsage {
        pids.compactMap(one).reduce(ProcessUsage(cpuSeconds: 0, residentBytes: 0)) {
            ProcessUsage(
                cpuSeconds: $0.cpuSeconds + $1.cpuSeconds, residentBytes: $0.residentBytes + $1.residentBytes)
        }
    }

    private static func one(_ pid: Int32) -> ProcessUsage? {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let end = stat.lastIndex(of: ")")
        else { return nil }
        // Fields from the third on; see proc(5).
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 21, let user = Double(fields[11]), let system = Double(fields[12]),
            let pages = Int(fields[21])
        else { return nil }
        return ProcessUsage(
            cpuSeconds: (user + system) / Double(sysconf(Int32(_SC_CLK_TCK))),
            residentBytes: pages * sysconf(Int32(_SC_PAGESIZE)))
    }
}
