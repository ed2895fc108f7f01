import Foundation
import Testing

@testable import ProcessRuntime

@Suite("A tool that visits a cluster")
struct ClusterVisitTests {
    private func folder() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent("visit-\(UUID())").path
    }

    private func visit(_ flags: [String], file: String? = nil) throws(ClusterVisit.Refused) -> ClusterVisit {
        try ClusterVisit(role: .gateway, file: file, flags: flags, signals: TerminationSignals())
    }

    private func reason(_ body: () throws(ClusterVisit.Refused) -> ClusterVisit) -> String {
        do throws(ClusterVisit.Refused) {
            _ = try body()
            return ""
        } catch {
            return error.description
        }
    }

    @Test("Wrong settings, names and files are refused with a reason, before the folder is made")
    func settings() {
        let path = folder()
        #expect(
            reason { () throws(ClusterVisit.Refused) in try visit(["node.data=\(path)", "node.name=a b"]) }.contains(
                "node.name"))
        #expect(
            reason { () throws(ClusterVisit.Refused) in try visit(["node.dta=\(path)"]) }.contains(
                "did you mean node.data?"))
        #expect(
            !reason { () throws(ClusterVisit.Refused) in try visit(["node.name=x"], file: path + "/absent.toml") }
                .isEmpty)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test("A folder is for one visitor at a time, and not for a process of another role")
    func folders() throws {
        let path = folder()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let flags = ["node.data=\(path)", "node.name=load"]
        do {
            let first = try visit(flags)
            #expect(reason { () throws(ClusterVisit.Refused) in try visit(flags) }.contains("in use"))
            withExtendedLifetime(first) {}
        }
        #expect(reason { () throws(ClusterVisit.Refused) in try visit(flags) }.isEmpty)
        try "martlet storage 1\n".write(toFile: path + "/FORMAT", atomically: true, encoding: .utf8)
        #expect(reason { () throws(ClusterVisit.Refused) in try visit(flags) }.contains("belongs to a storage"))
    }
}
