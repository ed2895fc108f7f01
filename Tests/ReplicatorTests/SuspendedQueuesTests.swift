import Foundation
import Model
import Testing

@testable import Replicator

@Suite struct SuspendedQueuesTests {
    private let one = NodeName("storage-1")
    private let two = NodeName("storage-2")

    private func folder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("queues-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    @Test("What was suspended stays so for the next process, until it is resumed")
    func restart() async throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("suspended.json").path
        let first = try SuspendedQueues(path: path)
        #expect(!first.contains(one))
        try await first.set(one, true)
        try await first.set(two, true)
        try await first.set(two, false)
        let second = try SuspendedQueues(path: path)
        #expect(second.contains(one) && !second.contains(two))
    }

    @Test("A file that is not understood stops the start: nobody would know what was meant to rest")
    func damaged() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("suspended.json")
        try Data("[\"storage".utf8).write(to: file)
        #expect(throws: (any Error).self) { try SuspendedQueues(path: file.path) }
    }
}
