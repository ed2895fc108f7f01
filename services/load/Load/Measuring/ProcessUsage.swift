import Foundation
import Observability

/// CPU time and memory of the processes under load.
struct ProcessUsage: Sendable {
    struct Entry: Sendable, Encodable {
        var pid: Int32
        var name: String
        var cpuSeconds: Double
        var residentBytes: Int
        var residentPeakBytes: Int
    }

    private let processes: [(pid: Int32, name: String, cpuBefore: Double)]

    /// Remembers the CPU time that the processes have used so far.
    init(pids: [Int32], names: [Int32: String] = [:]) {
        processes = pids.compactMap { pid in
            ProcessMetrics.cpuSeconds(pid: pid).map { (pid, names[pid] ?? "", $0) }
        }
    }

    /// The processes of a cluster that `compose/up` started in a folder.
    static func ofCluster(_ folder: String) -> [Int32: String] {
        let run = folder + "/run"
        let files = (try? FileManager.default.contentsOfDirectory(atPath: run)) ?? []
        var found: [Int32: String] = [:]
        for file in files where file.hasSuffix(".pid") && file != "supervisor.pid" {
            guard let data = FileManager.default.contents(atPath: "\(run)/\(file)"),
                let pid = Int32(String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
            else { continue }
            found[pid] = String(file.dropLast(4))
        }
        return found
    }

    /// CPU time used since then, and memory now; without the processes that are gone.
    func measure() -> [Entry] {
        processes.compactMap { process in
            guard let cpu = ProcessMetrics.cpuSeconds(pid: process.pid),
                let memory = ProcessMetrics.memory(pid: process.pid)
            else { return nil }
            return Entry(
                pid: process.pid, name: process.name, cpuSeconds: cpu - process.cpuBefore,
                residentBytes: memory.residentBytes, residentPeakBytes: memory.peakBytes)
        }
    }
}
