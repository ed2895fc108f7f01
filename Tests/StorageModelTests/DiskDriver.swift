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
    let mistake: ModelMistake?
    /// Flips one byte of a segment on the disk.
    let flip: (_ segment: UInt32, _ offset: Int) -> Void
    /// What the disk must not have answered.
    var faults: [String] = []
    private var waiting: [(inout DiskDriver) -> Void] = []

    init(_ model: DiskModel, _ disk: ModelDisk, _ replica: DiskReplica, _ generator: SeededGenerator) {
        (self.model, self.disk, self.generator) = (model, replica, generator)
        mistake = disk.mistake
        flip = { disk.damage($0, at: $1) }
        // After a start everything up to the ceiling counts as promised.
        self.model.counter = max(model.counter, replica.index.ceiling)
    }

    /// Runs groups of requests until so many were made or the disk has failed.
    mutating func run(requests: Int, _ events: Events = .all) {
        var made = 0
        while made < requests, disk.failure == nil {
            for _ in 0..<generator.number(1..<5) {
                request()
                made += 1
            }
            commit()
            sync()
            settle()
            happen(events)
        }
    }

    /// Other things than requests that happen to the disk, each in some of the histories only: so they meet in many ways.
    struct Events: OptionSet {
        let rawValue: Int
        static let moves = Events(rawValue: 1)
        static let doubt = Events(rawValue: 2)
        static let damage = Events(rawValue: 4)
        static let all: Events = [.moves, .doubt, .damage]
    }

    private mutating func happen(_ events: Events) {
        if generator.chance(0.05) { try? disk.index.flush() }
        if generator.chance(0.15) { compact() }
        if generator.chance(0.2), events.contains(.moves) { moveSlots() }
        if generator.chance(0.1), events.contains(.moves) { depart() }
        if generator.chance(0.1), events.contains(.doubt) { distrust() }
        if disk.index.hasDoubt, generator.chance(0.4) { heal() }
        if generator.chance(0.15), events.contains(.damage) { damage() }
        if generator.chance(0.15), events.contains(.damage) { scrub() }
    }

    private mutating func compact() {
        if mistake == .hastyRemoval { return removeHastily() }
        guard let outcome = try? disk.compactor.compactOne(disk) else { return }
        if case .removed = outcome { model.tally.removedSegments += 1 }
    }

    /// What nobody waits for is written with what somebody waits for, else only after a time.
    private func sync() {
        guard model.owned != .all || disk.index.hasDoubt else { return }
        disk.appendAll([.ceiling(disk.index.ceiling)], urgency: .now, priority: .deletion) { _ in }
    }

    mutating func settle() {
        let answers = waiting
        waiting = []
        for answer in answers { answer(&self) }
    }

    /// What the model learns when the answer is here.
    mutating func later(_ body: @escaping (inout DiskDriver) -> Void) { waiting.append(body) }

    private mutating func request() {
        switch generator.number(0..<100) {
        case 0..<35: commit()
        case 35..<45: learn()
        case 45..<60: stage()
        case 60..<67: staleCommit()
        case 67..<71: purge()
        case 71..<73: staleLearn()
        case 73..<82: putChunk()
        case 82..<88: noteHint()
        case 88..<91: forgetHint()
        case 91..<93: forgetRelease()
        case 93..<96: dropChunks()
        default: read()
        }
    }

    // MARK: - Registers

    /// Mostly one that the disk owns.
    private mutating func nextName() -> Model.RegisterName {
        let name = generator.pick(DiskModel.names)
        return model.owns(name) || generator.chance(0.1) ? name : generator.pick(DiskModel.names)
    }

    mutating func nextBallot() -> Ballot {
        // Now and then far ahead, so that the ceiling has to be raised before the answer.
        model.counter += generator.chance(0.1) ? 3 << 20 : UInt64(generator.number(1..<50))
        return Ballot(counter: model.counter, writer: 1)
    }

    mutating func nextState(of name: Model.RegisterName) -> ReplicaState {
        let kinds: [DiskModel.Kind] = [.plain, .tombstone, .withBlob, .withBlob, .withBlob, .tombstone]
        let kind = name.keyspace == .objects && generator.chance(0.15) ? .inChunks : generator.pick(kinds)
        let state = DiskModel.state(nextBallot(), kind)
        model.blobs.formUnion(state.record?.blobs ?? [])
        if let blob = DiskModel.releasable(state) { model.releases[blob] = .unknown }
        return state
    }

    func payload(of state: ReplicaState) -> BlobPayload? {
        state.record?.blobs.first.map { BlobPayload(id: $0, content: DiskModel.content($0)) }
    }

    private mutating func commit() {
        let name = nextName()
        let state = nextState(of: name)
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
        later { driver in
            let result = answer.wait()
            if case .success(let result) = result, result.outcome == .accepted { return driver.accepted(name, state) }
            // A higher ballot of the same group may have come first. When the disk has failed nobody knows.
            if result.isRefusal { driver.model.registers[name]!.open.removeAll { $0.tag == state.tag } }
        }
    }

    private mutating func learn() { learn(nextName()) }

    mutating func learn(_ name: Model.RegisterName) {
        let state = nextState(of: name)
        model.registers[name, default: .init()].open.append(state)
        let answer = Answer<LearnResult>()
        disk.learn(name, state, blob: payload(of: state), answer.completion)
        later { driver in
            let result = answer.wait()
            if case .success(.learned) = result { return driver.accepted(name, state) }
            if result.isRefusal { driver.model.registers[name]!.open.removeAll { $0.tag == state.tag } }
        }
    }

    /// The state is durable, and answers for its key whatever was forgotten before.
    private mutating func accepted(_ name: Model.RegisterName, _ state: ReplicaState) {
        model.settle(name, state)
        if model.doubt(name) != .absent { model.taught[name] = .present }
    }

    private mutating func stage() {
        let (name, ballot) = (nextName(), nextBallot())
        let answer = Answer<StageResult>()
        disk.stage(name, ballot, blob: nil, answer.completion)
        later { driver in
            guard case .success(let result) = answer.wait() else { return }
            guard result.promised else { return driver.faults.append("\(ballot) was not promised") }
            driver.model.registers[name, default: .init()].promise = ballot
        }
    }

    /// A state below what was promised must be refused, also after a restart.
    mutating func staleCommit() {
        let name = nextName()
        let register = model.registers[name] ?? .init()
        let bound = max(register.promise, register.durable?.tag ?? model.floor, model.fence)
        guard bound.counter > 1 else { return }
        let state = DiskModel.state(Ballot(counter: bound.counter - 1, writer: 5), .plain)
        let answer = Answer<CommitResult>()
        disk.commit(name, state, blob: nil, answer.completion)
        later { driver in
            if case .success(let result) = answer.wait(), result.outcome == .accepted {
                driver.faults.append("\(state.tag) was accepted although \(bound) was promised or accepted")
            }
        }
    }

    private mutating func read() {
        let name = nextName()
        let answer = Answer<ReadResult>()
        disk.read(name, withBlob: true, answer.completion)
        later { driver in
            guard case .success(let result) = answer.wait() else { return }
            if let blob = result.blob, blob.content != DiskModel.content(blob.id) {
                driver.faults.append("wrong content was served for \(blob.id)")
            }
            let register = driver.model.registers[name] ?? .init()
            if result.state?.tag ?? .zero < register.durable?.tag ?? .zero {
                // Others of the group may have been acknowledged after this read.
                return
            }
            if !register.allowed.contains(result.state) { driver.faults.append("read of \(name): \(result)") }
            driver.model.settle(name, result.state)
        }
    }

    /// Makes a few requests that a disk after a start must refuse.
    mutating func probePromises() {
        for _ in 0..<3 { staleCommit() }
        settle()
    }
}

extension Result where Failure == StorageError {
    /// It is certain that nothing has happened.
    fileprivate var isRefusal: Bool {
        switch self {
        case .success: true
        case .failure(let error): [.abstained, .overloaded, .malformed].contains(error.status)
        }
    }
}
