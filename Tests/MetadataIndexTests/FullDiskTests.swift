import Foundation
import Glibc
import Model
import Testing

@testable import MetadataIndex

/// A file system of its own in memory, for tests that fill it. Only root may mount one.
struct SmallFileSystem: ~Copyable {
    let path = NSTemporaryDirectory() + "small-" + UUID().uuidString

    static let isPermitted: Bool = {
        guard let probe = try? SmallFileSystem(mebibytes: 1) else {
            FileHandle.standardError.write(Data("SKIPPED: tests of a full file system need the right to mount\n".utf8))
            return false
        }
        return access(probe.path, W_OK) == 0
    }()

    init(mebibytes: Int) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(mebibytes)m") == 0 else {
            rmdir(path)
            throw IndexError("mount: \(String(cString: strerror(errno)))")
        }
    }

    deinit {
        umount2(path, 2)
        rmdir(path)
    }

    /// Takes what is free; deleting the file gives it back.
    func fill() {
        let file = open(path + "/filler", O_WRONLY | O_CREAT, 0o600)
        let block = [UInt8](repeating: 1, count: 64 << 10)
        while write(file, block, block.count) > 0 {}
        close(file)
    }

    func free() { unlink(path + "/filler") }
}

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
