import Foundation
import Model
import TestKit
import Testing

@testable import MetadataIndex

@Suite(.enabled(if: SmallFileSystem.isPermitted, "needs the right to mount a file system"))
struct FullDiskTests {
    private let memory = IndexMemory(limit: 16 << 20)

    private func change(_ number: UInt64) -> IndexChange {
        var register = IndexedRegister.sample(number)
        register.value.record = (0..<2000).map { UInt8(truncatingIfNeeded: number &* 31 &+ $0 &* $0) }
        return .register(name("key \(number)"), register)
    }

    /// Applies until it fails. Returns the error and how many were applied.
    private func applyUntilFull(_ index: MetadataIndex) -> (error: IndexError?, applied: UInt64) {
        for number in UInt64(1)...100_000 {
            do { try index.apply([change(number)], checkpoint: number) } catch {
                return (error as? IndexError, number - 1)
            }
        }
        return (nil, 100_000)
    }

    @Test("A full file system is told from other faults, reads go on, and with free space the index opens again")
    func full() throws {
        let disk = try SmallFileSystem(mebibytes: 24)
        var index: MetadataIndex? = try MetadataIndex(path: disk.path + "/index", memory: memory)
        try index!.apply([change(0)], checkpoint: 1)
        try index!.flush()
        disk.fill()
        let (error, applied) = applyUntilFull(index!)
        #expect(error?.kind == .noSpace, "\(String(describing: error))")
        #expect(error?.isCorruption == false)
        #expect(applied > 0)
        #expect(try index!.register(name("key 0")) != nil)
        #expect(try index!.register(name("key \(applied)")) != nil)
        #expect(try index!.register(name("key \(applied + 1)")) == nil)
        #expect(index!.checkpoint == applied)
        index = nil
        // Still full: it cannot be opened, and says why.
        do {
            _ = try MetadataIndex(path: disk.path + "/index", memory: memory)
            Issue.record("opened without room")
        } catch { #expect((error as? IndexError)?.kind == .noSpace, "\(error)") }
        disk.free()
        let reopened = try MetadataIndex(path: disk.path + "/index", memory: memory)
        #expect(reopened.checkpoint <= applied)
        #expect(try reopened.register(name("key 0")) != nil)
        for number in reopened.checkpoint...applied + 10 {
            try reopened.apply([change(number)], checkpoint: number)
        }
        try reopened.flush()
        #expect(try reopened.register(name("key \(applied + 10)")) != nil)
    }
}
