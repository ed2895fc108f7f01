import AccessTestKit
import Foundation
import Logging
import Observability
import Synchronization
import Testing

@testable import Repair

@Suite struct TaskRunnerTests {
    private func runner(_ path: String = ":memory:") throws -> TaskRunner {
        try TaskRunner(
            store: TaskStore(path: path), limits: .init(objectsPerSecond: 1_000_000, bytesPerSecond: 0),
            metrics: TaskMetrics(MetricsRegistry()),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    private func task(_ id: String, of runner: TaskRunner) -> RepairTask? {
        runner.tasks.first { $0.task.id == id }?.task
    }

    @Test("A task runs, tells how far it is, and ends with its proof")
    func runs() async throws {
        let runner = try runner()
        runner.register(.recoverNode) { handle, task in
            handle.update { $0.done = 7 }
            return .proved("all of \(task.arguments[0])")
        }
        runner.start()
        let id = try await runner.submit(.recoverNode, ["storage-1"])
        let ended = await runner.wait(for: id)
        #expect(ended?.phase == .done && ended?.progress.done == 7)
        #expect(ended?.outcome == .proved("all of storage-1"))
        await runner.stop()
    }

    @Test("A standing task runs at once and when it is woken")
    func standing() async throws {
        let runner = try runner()
        let runs = Counted()
        runner.register(.damage, every: .seconds(600)) { _, _ in
            runs.add()
            return .proved("")
        }
        runner.start()
        #expect(await eventually { runs.count == 1 && self.task("damage-repair", of: runner)?.phase == .waiting })
        runner.wake(.damage)
        #expect(await eventually { runs.count == 2 })
        await runner.stop()
    }

    @Test("A paused task waits where it is, and goes on when it may")
    func pause() async throws {
        let runner = try runner()
        let steps = Counted()
        runner.register(.recoverNode) { handle, _ in
            while steps.count < 1_000_000 {
                try await handle.admit(objects: 1)
                steps.add()
                await Task.yield()
            }
            return .proved("")
        }
        runner.start()
        let id = try await runner.submit(.recoverNode, ["a"])
        #expect(await eventually { steps.count > 10 })
        try runner.pause(id, true)
        let held = await settled(steps)
        #expect(runner.tasks.first { $0.task.id == id }?.task.isPaused == true)
        try runner.pause(id, false)
        #expect(await eventually { steps.count > held })
        try runner.pause(id, true)
        try runner.cancel(id)
        #expect(await runner.wait(for: id)?.phase == .cancelled)
        await runner.stop()
    }

    /// The count when it grows no more.
    private func settled(_ steps: Counted) async -> Int {
        var last = -1
        while last != steps.count {
            last = steps.count
            for _ in 0..<200 { await Task.yield() }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return last
    }

    @Test("What an operator asked for outlives the process, also when it had begun")
    func restart() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tasks-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("tasks.sqlite").path
        let first = try runner(path)
        first.register(.recoverNode) { handle, _ in
            while true {
                try await handle.admit(objects: 0)
                try await Task.sleep(for: .milliseconds(1))
            }
        }
        first.register(.damage, every: .seconds(600)) { _, _ in .proved("") }
        first.start()
        let id = try await first.submit(.recoverNode, ["storage-2"])
        try first.pause("damage-repair", true)
        #expect(await eventually { self.task(id, of: first)?.phase == .running })
        await first.stop()
        let second = try runner(path)
        let damage = Counted()
        second.register(.recoverNode) { _, task in .proved(task.arguments[0]) }
        second.register(.damage, every: .seconds(600)) { _, _ in
            damage.add()
            return .proved("")
        }
        second.start()
        #expect(await second.wait(for: id)?.outcome == .proved("storage-2"))
        #expect(damage.count == 0 && task("damage-repair", of: second)?.isPaused == true)
        await second.stop()
    }
}

private final class Counted: Sendable {
    private let value = Mutex(0)
    var count: Int { value.withLock { $0 } }
    func add() { value.withLock { $0 += 1 } }
}
