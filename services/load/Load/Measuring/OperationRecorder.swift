import Foundation
import Linearizability
import Synchronization

/// Writes operations as lines, in the order of their ends: all of them (a history for the checker), or only those that
/// write (what must be found afterwards).
final class OperationRecorder: Sendable {
    private struct State {
        var pending: [HistoryOperation] = []
    }

    private let file: FileHandle
    private let writesOnly: Bool
    private let state = Mutex(State())

    init(path: String, writesOnly: Bool) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil) else {
            throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: path])
        }
        file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        self.writesOnly = writesOnly
    }

    func record(_ operation: HistoryOperation) {
        guard !writesOnly || operation.kind != .get else { return }
        state.withLock { $0.pending.append(operation) }
    }

    /// Called now and then, and at the end.
    func flush() throws {
        let pending = state.withLock { state in
            defer { state.pending = [] }
            return state.pending
        }
        guard !pending.isEmpty else { return }
        try file.write(contentsOf: Data(HistoryFile.encode(pending).utf8))
    }
}
