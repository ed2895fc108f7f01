import ArgumentParser
import Configuration
import Foundation
import Logging
import MetadataIndex
import Model
import ObjectLog
import Observability
import ProcessRuntime

/// `martlet-storage --rebuild-index`: makes the indexes of a node anew from its logs, while the node does not run.
public struct RebuildIndexCommand: ParsableCommand {
    public static let flag = "--rebuild-index"

    public static let configuration = CommandConfiguration(
        commandName: "martlet-storage",
        abstract: "Makes the index of each disk anew from its object log.",
        discussion: """
            The node must not be running. Exit status: 0 done, 1 a disk failed, 73 the data is in use, 78 the \
            configuration is wrong.

            EXAMPLE: martlet-storage --rebuild-index --config /etc/martlet/martlet.toml --disk /data/2
            """)

    @OptionGroup public var process: ProcessOptions
    @Flag(name: .customLong("rebuild-index"), help: "Rebuild, then exit.")
    public var rebuildIndex = false
    @Option(help: ArgumentHelp("Only this disk; repeatable. Default: all.", valueName: "path"))
    public var disk: [String] = []

    public init() {}

    public func run() throws {
        let configuration = process.loadConfiguration(
            CommonSettings.local + CommonSettings.joining + StorageSettings.all)
        let given = configuration[CommonSettings.name]
        let node = NodeName(given.isEmpty ? "storage" : given)
        LogSetup.bootstrap(level: .warning, format: .text, node: node.rawValue)
        let data = configuration[CommonSettings.data]
        guard !data.isEmpty else { throw OperatorTerminal.failure(78, "node.data: a data directory is required") }
        let lock: DataDirectory
        do throws(DataDirectory.Refused) { lock = try DataDirectory(path: data, role: "storage") } catch {
            throw OperatorTerminal.failure(73, error.description)
        }
        try withExtendedLifetime(lock) { try rebuild(node, data, configuration) }
    }

    private func rebuild(_ node: NodeName, _ data: String, _ configuration: Configuration) throws {
        let paths: [String]
        do { paths = try disk.isEmpty ? NodeDisks.paths(data: data, configuration) : disk } catch {
            throw OperatorTerminal.failure(1, "\(error)")
        }
        let options = DiskOptions(
            node: node, segmentSize: configuration[StorageSettings.segmentSize].bytes,
            memory: IndexMemory(limit: configuration[StorageSettings.indexMemory].bytes))
        var status: Int32 = 0
        for path in paths {
            status = max(status, rebuild(path, options))
        }
        if status != 0 { throw ExitCode(status) }
    }

    /// The exit status for one disk.
    private func rebuild(_ path: String, _ options: DiskOptions) -> Int32 {
        let rebuild = IndexRebuild(path: path, options: options, logger: Logger(label: "martlet.storage"))
        var last = ContinuousClock.now
        do {
            let summary = try rebuild.run { progress in
                guard ContinuousClock.now - last >= .seconds(1) else { return }
                last = .now
                OperatorTerminal.tell("\(path): \(progress.text)")
            }
            print(Self.text(summary, path))
            return 0
        } catch ObjectLogError.locked {
            OperatorTerminal.tell("\(path): in use by another process")
            return 73
        } catch {
            OperatorTerminal.tell("\(path): \(error)")
            return 1
        }
    }

    private static func text(_ summary: IndexRebuild.Summary, _ path: String) -> String {
        let totals = summary.totals
        let doubt = summary.doubtBefore.map {
            "\n  records of unknown keys were lost before \($0): keys that are older are not voted on until repair has "
                + "compared them"
        }
        return "\(path): index rebuilt from \(summary.records) records of \(summary.segments) segments in "
            + String(format: "%.1f s\n  in force: ", summary.seconds)
            + "\(totals.activeRecords) records, \(totals.activeBytes) bytes; tombstones: \(totals.tombstones); "
            + "garbage: \(totals.totalBytes - min(totals.totalBytes, totals.activeBytes)) bytes" + (doubt ?? "")
    }
}

/// Where a node keeps its data.
enum NodeDisks {
    /// Those that the node has had in service; at first `storage.disks`, or one in the data directory.
    static func paths(data: String, _ configuration: Configuration) throws -> [String] {
        if let table = try DiskTableFile(directory: try RealDirectory(data)).load() {
            return table.disks.filter { $0.standing != .retired }.map(\.path)
        }
        let configured = configuration[StorageSettings.disks]
        return configured.isEmpty ? [data + "/disk-1"] : configured
    }
}
