import Model
import ObjectLog
import Register
import TestKit
import Testing

@testable import Storage

/// The process dies, and what it had written last is destroyed before it starts again.
@Suite struct DestroyedEndTests {
    @Test("With the end of the log destroyed and no index, a disk says nothing wrong: it abstains")
    func abstains() throws {
        var doubtful = 0
        for seed in UInt64(1)...60 {
            var generator = SeededGenerator(seed: seed)
            let disk = try ModelDisk()
            let (model, end) = try serve(disk, requests: generator.number(5..<40), seed: seed)
            try disk.lose(Crash(log: .kept, index: generator.pick([.lost, .flushed])), using: &generator)
            let length = generator.number(1..<60_000)
            let start = max(64, Int(end.offset) - length)
            disk.destroy(
                from: LogPosition(segment: end.segment, offset: UInt32(start)), with: generator.pick([0, 0xa5]))
            let opened = try disk.open(owning: .all)
            for fault in faults(of: opened, model) { Issue.record("seed \(seed): \(fault)") }
            if !opened.doubts.isEmpty { doubtful += 1 }
        }
        #expect(doubtful > 30)
    }

    /// What is known afterwards, and how long the log is then.
    private func serve(_ disk: ModelDisk, requests: Int, seed: UInt64) throws -> (DiskModel, LogPosition) {
        var driver = DiskDriver(DiskModel(), disk, try disk.open(owning: .all), SeededGenerator(seed: seed))
        driver.run(requests: requests, [])
        return (driver.model, driver.disk.log.end)
    }

    private func faults(of disk: DiskReplica, _ model: DiskModel) -> [String] {
        var faults: [String] = []
        for (name, register) in model.registers {
            let answer = Answer<ReadResult>()
            disk.read(name, withBlob: false, answer.completion)
            // A disk that does not know says so.
            guard case .success(let result) = answer.wait() else { continue }
            if !register.allowed.contains(result.state) { faults.append("an old state of \(name)") }
        }
        for (name, presence) in model.chunks where presence == .present {
            do { _ = try disk.chunk(name, offset: 0, length: 0, probe: false) } catch {
                if StorageError(error).status == .notFound { faults.append("\(name) is called absent") }
            }
        }
        return faults
    }
}
