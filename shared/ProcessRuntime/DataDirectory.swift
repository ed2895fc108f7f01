import Foundation

/// The folder of a process: one process at a time, of one role, in a format that this build knows.
public final class DataDirectory: Sendable {
    /// Raised when something in the folder changes so that an older build must not open it.
    public static let format = 1
    static let formatFile = "FORMAT"
    static let lockFile = "LOCK"

    public struct Refused: Error, Equatable, CustomStringConvertible {
        public let description: String
    }

    public let path: String
    /// Held open: the kernel drops the lock with the process, however it ends.
    private let lock: Int32

    /// Makes the folder when it is absent, locks it and checks its format.
    public init(path: String, role: String) throws(Refused) {
        self.path = path
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch { throw Refused(description: "cannot make \(path): \(error)") }
        lock = open(path + "/" + Self.lockFile, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else {
            throw Refused(description: "cannot open \(path)/LOCK: \(String(cString: strerror(errno)))")
        }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw Refused(description: "\(path) is in use by another process")
        }
        do throws(Refused) { try Self.checkFormat(path, role) } catch {
            close(lock)
            throw error
        }
    }

    deinit { close(lock) }

    private static func checkFormat(_ path: String, _ role: String) throws(Refused) {
        let file = path + "/" + formatFile
        let expected = "martlet \(role) \(format)\n"
        guard let data = FileManager.default.contents(atPath: file) else {
            let others = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
            // A new file system of its own is not empty: mkfs makes `lost+found`. A manager may be given its keys.
            let known = [lockFile, formatFile + ".new", "lost+found", "master-key", "identity.key"]
            guard others.allSatisfy({ known.contains($0) }) else {
                throw Refused(description: "\(path) is not empty and not Martlet's")
            }
            return try writeFormat(expected, file)
        }
        let words = String(decoding: data, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard words.count == 3, words[0] == "martlet", let found = Int(words[2]) else {
            throw Refused(description: "\(file) is not Martlet's")
        }
        guard words[1] == role else { throw Refused(description: "\(path) belongs to a \(words[1]), not a \(role)") }
        guard found <= format else {
            throw Refused(
                description: "\(path) has format \(found), written by a newer version; this one knows \(format)")
        }
    }

    private static func writeFormat(_ text: String, _ file: String) throws(Refused) {
        let temporary = file + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard descriptor >= 0, write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0,
            rename(temporary, file) == 0
        else { throw Refused(description: "cannot write \(file): \(String(cString: strerror(errno)))") }
    }
}
