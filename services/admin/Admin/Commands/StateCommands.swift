import ArgumentParser
import ClusterState
import Foundation

/// `state backup`: the cluster's state as a file.
struct StateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "state", abstract: "The cluster's state: users, buckets, members, ring.",
        discussion: "EXAMPLE: martlet-adm state backup /backup/state.json",
        subcommands: [StateBackup.self])
}

struct StateBackup: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Write a backup of the cluster's state.",
        discussion: """
            Secrets in it are sealed with the master key, which is not in it: keep that apart. To restore: \
            martlet-manager restore-state.

            EXAMPLE: martlet-adm state backup /backup/state.json
            """)

    @Argument(help: "The file; it is replaced as a whole.", completion: .file()) var file: String
    @OptionGroup var options: ConnectionOptions

    /// Asked page by page.
    var verb: String { "state-export" }

    mutating func run() async throws {
        var page = try await page([])
        var archive = StateArchive(
            clusterID: page.clusterId, revision: page.revision, takenAt: page.takenAt, entries: page.entries)
        while page.more, let last = page.entries.last {
            page = try await self.page(["\(archive.revision)", last.key])
            archive.entries += page.entries
        }
        do { try DurableFile.write(archive.encoded(), to: file) } catch {
            throw Failure(.refused, "\(error)", asJSON: options.json)
        }
        let done = BackupReport(file: file, entries: archive.entries.count, revision: archive.revision)
        if options.json { return print(String(decoding: try ReportCoding.encode(done), as: UTF8.self)) }
        print("\(done.entries) entries of revision \(done.revision) are in \(file)")
    }

    private func page(_ arguments: [String]) async throws -> StatePageReport {
        try report(StatePageReport.self, try await options.call(verb, arguments))
    }
}

private struct BackupReport: Encodable {
    var file: String
    var entries: Int
    var revision: UInt64
}
