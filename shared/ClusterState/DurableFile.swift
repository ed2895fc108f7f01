import Foundation

/// A file that is replaced as a whole: after a crash it has the old content or the new one.
public enum DurableFile {
    /// Writes beside the file, syncs, renames over it, and syncs the directory.
    public static func write(_ bytes: [UInt8], to path: String, permissions: mode_t = 0o600) throws {
        let temporary = path + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, permissions)
        guard descriptor >= 0 else { throw failure("create", temporary) }
        do {
            defer { close(descriptor) }
            // The mode of `open` is subject to the umask and ignored for a file that exists.
            guard fchmod(descriptor, permissions) == 0 else { throw failure("set the mode of", temporary) }
            try writeAll(bytes, descriptor, temporary)
            guard fsync(descriptor) == 0 else { throw failure("sync", temporary) }
        }
        guard rename(temporary, path) == 0 else { throw failure("rename", temporary) }
        try syncDirectory(of: path)
    }

    /// The content; nil when there is no such file.
    public static func read(_ path: String) throws -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            if errno == ENOENT { return nil }
            throw failure("open", path)
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Foundation.read(descriptor, &buffer, buffer.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure("read", path)
            }
            bytes += buffer[..<count]
        }
    }

    private static func writeAll(_ bytes: [UInt8], _ descriptor: Int32, _ path: String) throws {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Foundation.write(descriptor, $0.baseAddress! + offset, bytes.count - offset)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure("write", path)
            }
            offset += count
        }
    }

    private static func syncDirectory(of path: String) throws {
        let directory = (path as NSString).deletingLastPathComponent
        let descriptor = open(directory.isEmpty ? "." : directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", directory) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("sync", directory) }
    }

    private static func failure(_ verb: String, _ path: String) -> FileFailure {
        FileFailure(description: "cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}

/// What the operating system said about a file.
public struct FileFailure: Error, Sendable, CustomStringConvertible {
    public let description: String
}
