import MetadataIndex
import Model
import Register
import TestKit
import Wire

@testable import Storage

/// Random requests to a disk, several under way at once, and what the model learns from their answers.
struct DiskDriver {
    var model: DiskModel
    var generator: SeededGenerator
    let disk: DiskReplica
    /// What the disk must not have answered.
    private(set) var faults: [String] = []
    private var waiting: [(inout DiskDriver) -> Void] = []

    init(_ model: DiskModel, _ disk: DiskReplica, _ generator: SeededGenerator) {
        (self.model, self.disk, self.generator) = (model, disk, generator)
        // After a start everything up to the ceiling counts as promised.
        let answer = Answer<ReadResult>()
        disk.read(DiskModel.names[0], withBlob: false, answer.completion)
        if case .success(let result) = answer.wait() { self.model.counter = max(model.counter, result.counter) }
    }

    /// Runs groups of requests until so many were made or the disk has failed.
    mutating func run(requests: Int) {
        var made = 0
        while made < requests, disk.failure == nil {
            for _ in 0..<generator.number(1..<5) {
                request()
                made += 1
            }
            // What nobody waits for is written with what somebody waits for, else only after a time.
            commit()
            settle()
            if generator.chance(0.05) { try? disk.index.flush() }
            if generator.chance(0.15) { compact() }
        }
    }

    private mutating func compact() {
        guard let outcome = try? disk.compactor.compactOne(disk) else { return }
        if case .removed = outcome { model.removedSegments += 1 }
    }

    private mutating func settle() {
        let answers = waiting
        waiting = []
        for answer in answers { answer(&self) }
    }

    private mutating func request() {
        switch generator.number(0..<100) {
        case 0..<35: commit()
        case 35..<45: learn()
        case 45..<60: stage()
        case 60..<67: staleCommit()
        case 67..<82: putChunk()
        case 82..<90: noteHint()
        case 90..<94: forgetHint()
        case 94..<97: dropChunks()
        default: read()
        }
    }

    // MARK: - Registers

    private mutating func nextBallot() -> Ballot {
        // Now and then far ahead, so that the ceiling has to be raised before the answer.
        model.counter += generator.chance(0.1) ? 3 << 20 : UInt64(generator.number(1..<50))
        return Ballot(counter: model.counter, writer: 1)
    }

    private mutating func nextState() -> ReplicaState {
        let deleted = generator.chance(0.25)
        let state = DiskModel.state(nextBallot(), deleted: deleted, withBlob: generator.chance(0.6))
        model.blobs.formUnion(state.record?.blobs ?? [])
        return state
    }

    private func payload(of state: ReplicaState) -> BlobPayload? {
        state.record?.blobs.first.map { BlobPayload(id: $0, content: DiskModel.content($0)) }
    }

    private mutating func commit() {
        let (name, state) = (generator.pick(DiskModel.names), nextState())
        model.registers[name, default: .init()].open.append(state)
        let answer = Answer<CommitResult>()
        if generator.chance(0.5) {
            let staged = Answer<StageResult>()
            disk.stage(name, state.tag, blob: payload(of: state), staged.completion)
            if case .success(let result) = staged.wait(), !result.promised {
                faults.append("\(state.tag) was not promised")
            }
            disk.commit(name, state, blob: nil, answer.completion)
        } else {
            disk.commit(name, state, blob: payload(of: state), answer.completion)
        }
        waiting.append { driver in
            guard case .success(let result) = answer.wait() else { return }
            if result.outcome == .accepted { return driver.model.registers[name]!.settle(state) }
            // A higher ballot of the same group may have come first.
            driver.model.registers[name]!.open.removeAll { $0.tag == state.tag }
        }
    }

    private mutating func learn() {
        let (name, state) = (generator.pick(DiskModel.names), nextState())
        model.registers[name, default: .init()].open.append(state)
        let answer = Answer<LearnResult>()
        disk.learn(name, state, blob: payload(of: state), answer.completion)
        waiting.append { driver in
            if case .success(let result) = answer.wait(), result == .learned {
                driver.model.registers[name]!.settle(state)
            }
        }
    }

    private mutating func stage() {
        let (name, ballot) = (generator.pick(DiskModel.names), nextBallot())
        let answer = Answer<StageResult>()
        disk.stage(name, ballot, blob: nil, answer.completion)
        waiting.append { driver in
            guard case .success(let result) = answer.wait() else { return }
            guard result.promised else { return driver.faults.append("\(ballot) was not promised") }
            driver.model.registers[name, default: .init()].promise = ballot
        }
    }

    /// A state below what was promised must be refused, also after a restart.
    mutating func staleCommit() {
        let name = generator.pick(DiskModel.names)
        let register = model.registers[name] ?? .init()
        let bound = max(register.promise, register.durable?.tag ?? .zero)
        guard bound.counter > 1 else { return }
        let state = DiskModel.state(
            Ballot(counter: bound.counter - 1, writer: 5), deleted: false, withBlob: false)
        let answer = Answer<CommitResult>()
        disk.commit(name, state, blob: nil, answer.completion)
        waiting.append { driver in
            if case .success(let result) = answer.wait(), result.outcome == .accepted {
                driver.faults.append("\(state.tag) was accepted although \(bound) was promised or accepted")
            }
        }
    }

    private mutating func read() {
        let name = generator.pick(DiskModel.names)
        let answer = Answer<ReadResult>()
        disk.read(name, withBlob: true, answer.completion)
        waiting.append { driver in
            guard case .success(let result) = answer.wait() else { return }
            let register = driver.model.registers[name] ?? .init()
            if result.state?.tag ?? .zero < register.durable?.tag ?? .zero {
                // Others of the group may have been acknowledged after this read.
                return
            }
            if !register.allowed.contains(result.state) { driver.faults.append("read of \(name): \(result)") }
            driver.model.registers[name, default: .init()].settle(result.state)
        }
    }

    // MARK: - Chunks and hints

    private mutating func putChunk() {
        let name = generator.pick(DiskModel.chunkNames)
        if model.chunks[name] != .present { model.chunks[name] = .unknown }
        let answer = Answer<Bool>()
        disk.putChunk(name, DiskModel.content(name.blob, name.index), answer.completion)
        waiting.append { driver in
            guard case .success = answer.wait() else { return }
            // A drop that has done its work may be forgotten, and the chunk may come anew.
            driver.model.chunks[name] = driver.model.recentDrops.contains(name) ? .unknown : .present
            driver.model.dropped.remove(name)
        }
    }

    private mutating func dropChunks() {
        let blob = generator.pick(DiskModel.chunkNames).blob
        let indexes = (0..<UInt32(3)).filter { _ in generator.chance(0.6) }
        let names = indexes.map { ChunkName(blob: blob, index: $0) }
        for name in names where model.chunks[name] != nil { model.chunks[name] = .unknown }
        model.recentDrops.formUnion(names)
        let answer = Answer<Int>()
        disk.dropChunks(blob, indexes, answer.completion)
        waiting.append { driver in
            guard case .success = answer.wait() else { return }
            for name in names {
                driver.model.chunks[name] = .absent
                driver.model.dropped.insert(name)
            }
        }
    }

    private mutating func noteHint() {
        model.nextHint += 1
        let hint = Hint(missed: "storage-2", index: model.nextHint).encoded()
        model.hints[hint] = .unknown
        let answer = Answer<Void>()
        disk.noteHints([hint], answer.completion)
        waiting.append { driver in
            if case .success = answer.wait() { driver.model.hints[hint] = .present }
        }
    }

    private mutating func forgetHint() {
        // One that is being noted may be in the index before the answer has come.
        let found = (try? disk.index.hints(after: 0, limit: 100))?.filter { model.hints[$0.hint] == .present } ?? []
        guard !found.isEmpty else { return }
        let (id, hint) = generator.pick(found)
        model.hints[hint] = .unknown
        let answer = Answer<Void>()
        disk.forgetHints([id], answer.completion)
        waiting.append { driver in
            if case .success = answer.wait() { driver.model.hints[hint] = .absent }
        }
    }

    /// Makes a few requests that a disk after a start must refuse.
    mutating func probePromises() {
        for _ in 0..<3 { staleCommit() }
        settle()
    }
}
