import ClusterState
import Dispatch
import Foundation
import Model
import Synchronization

/// Which queues an operator has suspended: kept in a file, so that it stays so over a restart.
final class SuspendedQueues: Sendable {
    private let path: String
    private let nodes: Mutex<Set<NodeName>>
    /// Files are written one after the other, and not on a thread that others wait for.
    private let disk = DispatchQueue(label: "martlet.suspended-queues")

    /// - Throws: when there is a file that cannot be read or understood.
    init(path: String) throws {
        self.path = path
        let names = try DurableFile.read(path).map { try JSONDecoder().decode([String].self, from: Data($0)) }
        nodes = Mutex(Set((names ?? []).map { NodeName($0) }))
    }

    func contains(_ node: NodeName) -> Bool { nodes.withLock { $0.contains(node) } }

    /// Durable when it returns.
    func set(_ node: NodeName, _ isSuspended: Bool) async throws {
        nodes.withLock { nodes in
            if isSuspended { nodes.insert(node) } else { nodes.remove(node) }
        }
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            disk.async {
                // Whatever is wanted when its turn has come.
                let names = self.nodes.withLock { $0.map(\.rawValue).sorted() }
                continuation.resume(
                    with: Result { try DurableFile.write(Array(JSONEncoder().encode(names)), to: self.path) })
            }
        }
    }
}
