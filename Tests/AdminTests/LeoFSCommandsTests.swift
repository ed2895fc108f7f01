import ArgumentParser
import Foundation
import Testing

@testable import Admin

/// The pages that name verbs, against the tool.
@Suite("Pages on martlet-adm")
struct LeoFSCommandsTests {
    /// Of leofs-adm 1.4.
    private static let predecessors = """
        version status whereis start detach suspend resume rollback rebalance mq-stats mq-suspend mq-resume recover-file
        recover-consistency recover-node recover-disk recover-ring recover-cluster compact-start compact-suspend
        compact-resume compact-status diagnose-start diagnose-suspend diagnose-resume du purge-cache remove-gateway
        backup-mnesia restore-mnesia update-managers dump-ring update-log-level update-consistency-level update-property
        create-user import-user delete-user get-users update-user-role update-user-password add-endpoint
        delete-endpoint get-endpoints add-bucket delete-bucket delete-bucket-stats reset-delete-bucket-stats get-buckets
        get-bucket chown-bucket update-acl gen-nfs-mnt-key join-cluster remove-cluster cluster-status
        """

    private static let verbs = Set(
        AdminTool.configuration.groupedSubcommands.flatMap(\.subcommands).compactMap { $0.configuration.commandName })

    private func page(_ name: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent("docs/\(name)"), encoding: .utf8)
    }

    /// What stands between backquotes.
    private func quoted(_ text: some StringProtocol) -> [String] {
        text.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }

    @Test("Every verb of leofs-adm has its row, and every verb that a row names exists")
    func rows() throws {
        let rows = try page("leofs-commands.md").split(separator: "\n").filter { $0.hasPrefix("| `") }
            .map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
        let expected = Self.predecessors.split(whereSeparator: \.isWhitespace).map(String.init)
        #expect(Set(rows.flatMap { quoted($0[0]) }) == Set(expected) && rows.count == expected.count)
        for row in rows {
            #expect(row.count == 3 && (row[1] != "-" || !row[2].isEmpty), "\(row[0]): why is there none?")
            if row[1] != "-" { #expect(Self.verbs.contains(quoted(row[1]).first ?? ""), "\(row[1])") }
            let same = quoted(row[0]).first ?? ""
            #expect(!Self.verbs.contains(same) || quoted(row[1]) == [same], "\(same) exists")
        }
    }

    @Test("Verbs that LeoFS did not have are listed")
    func news() throws {
        let line = try #require(page("leofs-commands.md").split(separator: "\n").last { $0.hasPrefix("New verbs:") })
        let known = Set(Self.predecessors.split(whereSeparator: \.isWhitespace).map(String.init))
        #expect(Set(quoted(line)) == Self.verbs.subtracting(known))
    }

    @Test("Every verb has a heading in the administrator's page, and every heading a verb")
    func headings() throws {
        let headings = try page("admin-commands.md").split(separator: "\n").filter { $0.hasPrefix("### ") }
        let named = headings.flatMap { heading in
            heading.dropFirst(4).split(separator: ",").compactMap {
                $0.split(separator: " ").first.map(String.init)
            }
        }
        #expect(Set(named) == Self.verbs)
    }
}
