import Foundation

/// A file that holds a secret: only its owner (and group) may read it.
public enum SecretFile {
    public struct Refused: Error, CustomStringConvertible {
        public let description: String
    }

    /// The content without white space around it. Throws ``Refused`` when others may read the file, or it cannot be read.
    public static func read(_ path: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Refused(description: "cannot read \(path)")
        }
        guard isPrivate(path) else { throw Refused(description: "others may read \(path): chmod 600 it") }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Whether users outside the file's group have no access.
    public static func isPrivate(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & 0o007 == 0
    }
}
