import Model
import ObjectLog
import TestKit

@testable import Storage

/// One script of requests to one disk with some history, and what is left when the power goes at one of its operations.
struct CrashSweep: Sendable {
    typealias Disguise = @Sendable (SimulatedDirectory) -> any LogDirectory

    let seed: UInt64
    /// Operations of the script when nothing happens. Threads of the log make it vary a little.
    let operations: Int
    /// Segments that history and script compact away.
    let removedSegments: Int
    private let image: ModelDisk.Image
    private let model: DiskModel
    private let requests: Int
    private let disguise: Disguise

    /// `folder`: for the index to begin with.
    init(
        seed: UInt64, history: Int = 60, requests: Int = 40, folder: String, disguise: @escaping Disguise = { $0 }
    ) throws {
        (self.seed, self.requests, self.disguise) = (seed, requests, disguise)
        var generator = SeededGenerator(seed: seed)
        let disk = try ModelDisk()
        let past = DiskModel()
        let model = try Self.serve(disk, past, requests: generator.number(0..<history), seed: seed)
        disk.close()
        image = try disk.image(at: "\(folder)/\(seed)")
        self.model = model
        let begin = disk.operations
        removedSegments = try Self.serve(disk, model, requests: requests, seed: seed).removedSegments
        disk.close()
        operations = disk.operations - begin
    }

    /// Opens the disk and makes requests; returns what is known afterwards. Nobody keeps the disk.
    private static func serve(
        _ disk: ModelDisk, _ model: DiskModel, requests: Int, seed: UInt64, crashAfter: Int? = nil
    ) throws -> DiskModel {
        var driver = DiskDriver(model, try disk.open(crashAfter: crashAfter), SeededGenerator(seed: seed))
        driver.run(requests: requests)
        if let fault = driver.faults.first { throw ModelFault(fault) }
        return driver.model
    }

    /// Throws ``ModelFault`` when the disk breaks a promise.
    func crash(at point: Int) throws {
        var generator = SeededGenerator(seed: seed << 20 &+ UInt64(point))
        let disk = try ModelDisk(image, disguise: disguise)
        var model = model
        do {
            model = try Self.serve(disk, model, requests: requests, seed: seed, crashAfter: point)
        } catch let fault as ModelFault { throw fault } catch {
            // The power went while the disk was being opened.
        }
        try disk.lose(Crash(using: &generator), using: &generator)
        if generator.chance(0.3) {
            _ = try? disk.open(crashAfter: generator.number(1..<12))
            try disk.lose(Crash(using: &generator), using: &generator)
        }
        model = try verify(disk, model, comparing: generator.chance(0.1), seed: generator.next())
        guard generator.chance(0.2) else { return }
        disk.close()
        _ = try verify(disk, model, comparing: false, seed: generator.next())
    }

    /// Opens the disk, compares it with the model, then works with it a little.
    private func verify(_ disk: ModelDisk, _ model: DiskModel, comparing: Bool, seed: UInt64) throws -> DiskModel {
        let replica = try disk.open()
        var check = DiskCheck(model, replica)
        try check.run()
        if comparing { try disk.withRebuilt { try check.compare(with: $0) } }
        var driver = DiskDriver(check.model, replica, SeededGenerator(seed: seed))
        driver.probePromises()
        driver.run(requests: 4)
        if let fault = (check.faults + driver.faults + disk.errors).first { throw ModelFault(fault) }
        return driver.model
    }
}

/// What a disk must not have done.
struct ModelFault: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
