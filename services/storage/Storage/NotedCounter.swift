import ClusterState
import Synchronization

/// A ballot counter that the node was told will be in use, kept apart from its disks: however much these lose, the node
/// still knows how far healing has moved the counters of the cluster.
final class NotedCounter: Sendable {
    private let path: String
    private let counter: Mutex<UInt64>

    init(path: String) throws {
        self.path = path
        guard let bytes = try DurableFile.read(path) else {
            counter = Mutex(0)
            return
        }
        guard let number = UInt64(String(decoding: bytes, as: UTF8.self).filter { !$0.isNewline }) else {
            throw StorageError.unavailable("\(path) is damaged")
        }
        counter = Mutex(number)
    }

    var value: UInt64 { counter.withLock { $0 } }

    /// Durable when it returns. Blocks.
    func raise(to new: UInt64) throws {
        try counter.withLock { counter in
            guard new > counter else { return }
            try DurableFile.write(Array("\(new)\n".utf8), to: path)
            counter = new
        }
    }
}
