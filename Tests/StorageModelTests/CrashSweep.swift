import Model
import ObjectLog
import TestKit

@testable import Storage

/// One script of requests to one disk with some history, and what is left when the power goes at one of its operations.
struct CrashSweep: Sendable {
    let seed: UInt64
    /// Operations of the script when nothing happens. Threads of the log make it vary a little.
    let operations: Int
    /// What history and script do besides requests.
    let tally: DiskModel.Tally
    private let image: ModelDisk.Image
    private let model: DiskModel
    private let requests: Int
    private let mistake: ModelMistake?
    private let events: DiskDriver.Events

    /// `folder`: for the index to begin with.
    init(
        seed: UInt64, history: Int = 60, requests: Int = 40, folder: String, mistake: ModelMistake? = nil
    ) throws {
        (self.seed, self.requests, self.mistake) = (seed, requests, mistake)
        var generator = SeededGenerator(seed: seed)
        events = DiskDriver.Events(rawValue: generator.number(0..<8))
        let disk = try ModelDisk()
        let past = try Self.serve(disk, DiskModel(), requests: generator.number(0..<history), events, seed: seed)
        disk.close()
        image = try disk.image(at: "\(folder)/\(seed)")
        model = past
        let begin = disk.operations
        tally = try Self.serve(disk, past, requests: requests, events, seed: seed).tally
        disk.close()
        operations = disk.operations - begin
    }

    /// Opens the disk and makes requests; returns what is known afterwards. Nobody keeps the disk.
    private static func serve(
        _ disk: ModelDisk, _ model: DiskModel, requests: Int, _ events: DiskDriver.Events, seed: UInt64,
        crashAfter: Int? = nil
    ) throws -> DiskModel {
        let replica = try disk.open(owning: model.owned, crashAfter: crashAfter)
        var driver = DiskDriver(model, disk, replica, SeededGenerator(seed: seed))
        driver.run(requests: requests, events)
        if let fault = driver.faults.first { throw ModelFault(fault) }
        return driver.model
    }

    /// Throws ``ModelFault`` when the disk breaks a promise.
    func crash(at point: Int) throws {
        var generator = SeededGenerator(seed: seed << 20 &+ UInt64(point))
        let disk = try ModelDisk(image, mistake: mistake)
        var model = model
        do {
            model = try Self.serve(disk, model, requests: requests, events, seed: seed, crashAfter: point)
        } catch let fault as ModelFault { throw fault } catch {
            // The power went while the disk was being opened.
        }
        try lose(disk, &model, &generator)
        if generator.chance(0.3) {
            _ = try? disk.open(owning: model.owned, crashAfter: generator.number(1..<12))
            try lose(disk, &model, &generator)
        }
        model = try verify(disk, model, comparing: generator.chance(0.1), seed: generator.next())
        guard generator.chance(0.2) else { return }
        disk.close()
        _ = try verify(disk, model, comparing: false, seed: generator.next())
    }

    private func lose(_ disk: ModelDisk, _ model: inout DiskModel, _ generator: inout SeededGenerator) throws {
        let crash = Crash(using: &generator)
        try disk.lose(crash, using: &generator)
        // Releases stand in the index only.
        if crash.index == .lost { model.releases = model.releases.mapValues { _ in .unknown } }
    }

    /// Opens the disk, compares it with the model, then works with it a little.
    private func verify(_ disk: ModelDisk, _ model: DiskModel, comparing: Bool, seed: UInt64) throws -> DiskModel {
        let replica = try disk.open(owning: model.owned)
        var check = DiskCheck(model, replica)
        try check.run(scrubbing: seed % 8 == 0)
        if comparing { try disk.withRebuilt { try check.compare(with: $0) } }
        var driver = DiskDriver(check.model, disk, replica, SeededGenerator(seed: seed))
        driver.probePromises()
        driver.run(requests: 4, events)
        check.model = driver.model
        if replica.failure == nil { try check.checkKeptDigests() }
        let errors = model.damagedSegments.isEmpty && driver.model.damagedSegments.isEmpty ? disk.errors : []
        if let fault = (check.faults + driver.faults + errors).first { throw ModelFault(fault) }
        return driver.model
    }
}

/// What a disk must not have done.
struct ModelFault: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
