import Foundation
import Synchronization

/// What was acknowledged, a JSON line each, so that `martlet-load check` can read it back after a crash.
///
/// Before a request leaves, a line says what is attempted; after its acknowledgement another. A reader accepts for each
/// key the last acknowledged version or any later attempt, whole.
final class AcknowledgedFile: Sendable {
    struct Line: Codable, Equatable, Sendable {
        var key: String
        var version: UInt64
        /// nil: a delete.
        var size: Int?
        var acknowledged: Bool
    }

    private let file: Mutex<FileHandle>

    init(path: String) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw LoadError.usage("cannot write \(path)") }
        file = Mutex(handle)
    }

    func note(_ line: Line) throws {
        var data = try JSONEncoder().encode(line)
        data.append(UInt8(ascii: "\n"))
        try file.withLock { try $0.write(contentsOf: data) }
    }

    static func read(path: String) throws -> [Line] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw LoadError.usage("cannot read \(path)")
        }
        // The last line may be torn when this tool was killed.
        return data.split(separator: UInt8(ascii: "\n")).compactMap { try? JSONDecoder().decode(Line.self, from: $0) }
    }

    /// For each key what it may hold now: versions from the last acknowledged one on. Empty `versions` never occur.
    static func expectations(_ lines: [Line]) -> [String: [Line]] {
        var possible: [String: [Line]] = [:]
        for line in lines {
            if line.acknowledged {
                // Everything tried before it is superseded; what is tried at the same time has a later version.
                possible[line.key] = (possible[line.key] ?? []).filter { $0.version > line.version } + [line]
            } else {
                possible[line.key, default: []].append(line)
            }
        }
        return possible
    }
}
