import Foundation
import Glibc

/// A file system of its own in memory, for tests that fill it. Only root may mount one.
public struct SmallFileSystem: ~Copyable {
    public let path = NSTemporaryDirectory() + "small-" + UUID().uuidString

    public static let isPermitted: Bool = {
        guard let probe = try? SmallFileSystem(mebibytes: 1) else {
            FileHandle.standardError.write(Data("SKIPPED: tests of a full file system need the right to mount\n".utf8))
            return false
        }
        return access(probe.path, W_OK) == 0
    }()

    public struct MountRefused: Error, CustomStringConvertible { public let description: String }

    public init(mebibytes: Int) throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(mebibytes)m") == 0 else {
            rmdir(path)
            throw MountRefused(description: String(cString: strerror(errno)))
        }
    }

    deinit {
        umount2(path, 2)
        rmdir(path)
    }

    /// Takes what is free; deleting the file gives it back.
    public func fill() {
        let file = open(path + "/filler", O_WRONLY | O_CREAT, 0o600)
        let block = [UInt8](repeating: 1, count: 64 << 10)
        while write(file, block, block.count) > 0 {}
        close(file)
    }

    public func free() { unlink(path + "/filler") }
}
