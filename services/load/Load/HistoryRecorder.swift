import Foundation
import Linearizability
import Synchronization

/// Writes the history of a run as it grows, a JSON line for each operation.
final class HistoryRecorder: Sendable {
    private let file: Mutex<FileHandle>

    init(path: String) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw LoadError.usage("cannot write \(path)") }
        file = Mutex(handle)
    }

    func append(_ operation: HistoryOperation) {
        let line = Data((HistoryFile.encode(operation) + "\n").utf8)
        // A history that cannot be written is noticed by its reader: it misses operations whose values were read.
        file.withLock { try? $0.write(contentsOf: line) }
    }
}
