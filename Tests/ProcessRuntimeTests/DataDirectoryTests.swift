import Foundation
import Testing

@testable import ProcessRuntime

@Suite("Data directory")
struct DataDirectoryTests {
    private func temporary() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID())").path
    }

    @Test("One process at a time: the second is refused until the first is gone")
    func locked() throws {
        let path = temporary()
        defer { try? FileManager.default.removeItem(atPath: path) }
        var first: DataDirectory? = try DataDirectory(path: path, role: "storage")
        #expect(throws: DataDirectory.Refused(description: "\(path) is in use by another process")) {
            try DataDirectory(path: path, role: "storage")
        }
        #expect(first?.path == path)
        first = nil
        _ = try DataDirectory(path: path, role: "storage")
    }

    @Test("The root of a new file system is as good as an empty folder")
    func newFileSystem() throws {
        let path = temporary()
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.createDirectory(atPath: path + "/lost+found", withIntermediateDirectories: true)
        _ = try DataDirectory(path: path, role: "storage")
    }

    @Test("A folder of another role, of a newer format or of another program is refused")
    func foreign() throws {
        let path = temporary()
        defer { try? FileManager.default.removeItem(atPath: path) }
        do { _ = try DataDirectory(path: path, role: "storage") }
        #expect(throws: DataDirectory.Refused.self) { try DataDirectory(path: path, role: "gateway") }
        try Data("martlet storage 99\n".utf8).write(to: URL(fileURLWithPath: path + "/FORMAT"))
        #expect(throws: DataDirectory.Refused.self) { try DataDirectory(path: path, role: "storage") }
        try FileManager.default.removeItem(atPath: path + "/FORMAT")
        try Data("x".utf8).write(to: URL(fileURLWithPath: path + "/thesis.txt"))
        #expect(throws: DataDirectory.Refused(description: "\(path) is not empty and not Martlet's")) {
            try DataDirectory(path: path, role: "storage")
        }
    }

    @Test("Only its owner may look into it")
    func mode() throws {
        let path = temporary()
        defer { try? FileManager.default.removeItem(atPath: path) }
        _ = try DataDirectory(path: path, role: "storage")
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o700)
    }
}
