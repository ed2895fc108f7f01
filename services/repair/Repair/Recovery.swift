import ClusterState
import Configuration
import MessageBus
import Model
import ObjectAccess
import Wire

/// What an operator can have recovered: LeoFS's recover verbs as tasks that end with a proof.
struct Recovery: Sendable {
    let comparison: AntiEntropy
    let files: FileRecovery
    let memory: MemoryRecovery
    let cluster: any ClusterViewing
    let wakeMemory: @Sendable () -> Void

    /// Longest pause between two attempts.
    private static let pauseMax = 15
    /// Attempts to recover a node that does not answer, or waits for its memory: about an hour.
    private static let attemptsMax = 240

    /// Refuses arguments that can never come to anything.
    func check(_ kind: TaskKind, _ arguments: [String]) throws {
        switch (kind, arguments.count) {
        case (.recoverFile, 1): _ = try files.name(of: arguments[0])
        case (.recoverConsistency, 1), (.recoverNode, 1), (.recoverDisk, 2): _ = try member(arguments[0])
        case (.purgeTombstones, _): _ = try Self.age(arguments)
        case (.recoverDisk, _): throw BusError(.invalidArgument, "recover-disk NODE PATH")
        case (.recoverFile, _): throw BusError(.invalidArgument, "recover-file BUCKET/KEY")
        default: throw BusError(.invalidArgument, "\(kind.rawValue) NODE")
        }
    }

    /// Younger tombstones stay; nil: as the settings say.
    static func age(_ arguments: [String]) throws(BusError) -> Duration? {
        guard let text = arguments.first else { return nil }
        guard arguments.count == 1, let age = try? Duration(parsing: .text(text)), age >= .zero else {
            throw BusError(.invalidArgument, "purge-tombstones [AGE], such as 1h")
        }
        return age
    }

    private func member(_ name: String) throws -> NodeName {
        let node = NodeName(name)
        guard cluster.view.ring?.nodes.contains(node) == true else {
            throw BusError(.notFound, "\(name) holds no part of the ring")
        }
        return node
    }

    /// A process that was just started does not know the ring yet, and goes on with tasks of the former one.
    private func target(_ task: RepairTask) async throws -> NodeName {
        while cluster.view.ring == nil { try await Task.sleep(for: .milliseconds(200)) }
        return try member(task.arguments[0])
    }

    /// One object and its chunks.
    func file(_ task: RepairTask, _ handle: TaskHandle) async throws -> TaskOutcome {
        let report = try await files.run(path: task.arguments[0], handle: handle)
        guard report.exists else { return .proved("no such object, and all replicas say so") }
        return .proved(
            "all replicas are equal; were behind: "
                + (report.replicasRepaired.isEmpty ? "none" : report.replicasRepaired.joined(separator: ", "))
                + "; chunks: \(report.chunks), copied: \(report.chunksRepaired)")
    }

    /// Everything that a node should have, as it is now.
    func consistency(_ task: RepairTask, _ handle: TaskHandle) async throws -> TaskOutcome {
        await comparison.run(task: title(task), node: try await target(task), handle: handle).outcome
    }

    /// The same, until it is proved: also of a node that must get its memory back before, or does not run yet.
    func node(_ task: RepairTask, _ handle: TaskHandle) async throws -> TaskOutcome {
        let node = try await target(task)
        return try await untilProved(task, node, handle) { $0.node == node.rawValue }
    }

    /// The keys of a disk lie in all partitions of its node, and what is equal costs nothing: so the node's partitions are
    /// compared, as soon as the disk has its memory back.
    func disk(_ task: RepairTask, _ handle: TaskHandle) async throws -> TaskOutcome {
        let node = try await target(task)
        let path = task.arguments[1]
        return try await untilProved(task, node, handle) { $0.node == node.rawValue && $0.path == path }
    }

    private func untilProved(
        _ task: RepairTask, _ node: NodeName, _ handle: TaskHandle,
        isConcerned: (MemoryRecoveryStatus.Disk) -> Bool
    ) async throws -> TaskOutcome {
        var last = TaskOutcome.failed("not tried")
        for attempt in 1...Self.attemptsMax {
            try await handle.admit(objects: 0)
            last = await comparison.run(task: title(task), node: node, handle: handle).outcome
            if last.isProved { return last }
            wakeMemory()
            let waiting = memory.status.disks.first { isConcerned($0) && $0.state != .trusted }
            handle.update { progress in
                progress.note =
                    waiting.map { "\($0.path) has no memory yet: \($0.state.rawValue) \($0.reason)" } ?? last.text
            }
            try await Task.sleep(for: .seconds(min(attempt, Self.pauseMax)))
        }
        return last
    }

    private func title(_ task: RepairTask) -> String {
        ([task.kind.rawValue] + task.arguments).joined(separator: " ")
    }
}
