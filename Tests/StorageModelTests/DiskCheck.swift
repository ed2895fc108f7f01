import MetadataIndex
import Model
import Register

@testable import Storage

/// Compares a disk that has just started with the model, which takes over what it finds.
struct DiskCheck {
    var model: DiskModel
    let disk: DiskReplica
    var faults: [String] = []

    init(_ model: DiskModel, _ disk: DiskReplica) {
        (self.model, self.disk) = (model, disk)
    }

    /// `scrubbing`: reads every segment, and asks what was noted.
    mutating func run(scrubbing: Bool) throws {
        checkDoubt()
        try disk.forgetLeft { true }
        for name in DiskModel.names { try check(name) }
        for name in DiskModel.chunkNames { try check(name) }
        model.departing = []
        try checkHints()
        try checkReleases()
        try checkSums()
        try finishLeaving()
        try checkSums()
        try checkAgainstModel()
        if scrubbing { try checkScrub() }
    }

    // MARK: - Registers

    private mutating func check(_ name: RegisterName) throws {
        let answer = Answer<ReadResult>()
        disk.read(name, withBlob: true, answer.completion)
        let register = model.registers[name] ?? .init()
        switch answer.wait() {
        case .failure(.moved) where !model.owns(name): break
        case .failure(let error):
            guard error.status == .abstained, model.doubt(name) != .absent else {
                return faults.append("\(name.key.count) bytes of key: \(error)")
            }
            if model.doubt(name) == .present, model.isTaught(name) == .present {
                faults.append("a taught register: \(error)")
            }
            model.taught[name] = nil
            let held = try disk.index.register(name).map { ReplicaState($0.value) }
            note(held, register, name)
        case .success(let result):
            if !model.owns(name) { faults.append("answered for a slot of another disk") }
            if model.doubt(name) == .present, model.isTaught(name) == .absent {
                if result.state?.tag ?? .zero <= register.durable?.tag ?? .zero { faults.append("a vote in doubt") }
            }
            if model.doubt(name) != .absent { model.taught[name] = .present }
            note(result.state, register, name)
            checkContent(result)
            model.counter = max(model.counter, result.counter)
        }
    }

    /// What the index has of a register that the disk owns.
    private mutating func note(_ state: ReplicaState?, _ register: DiskModel.Register, _ name: RegisterName) {
        let allowed = model.allowed(name)
        if !allowed.contains(state) {
            faults.append(
                "found \(state.map { "\($0.tag)" } ?? "nothing"), allowed "
                    + allowed.map { $0.map { "\($0.tag)" } ?? "nothing" }.joined(separator: ", "))
        }
        model.registers[name] = .init(durable: state, promise: register.promise)
    }

    private mutating func checkContent(_ result: ReadResult) {
        guard let blob = result.state?.record?.blobs.first else { return }
        if result.blob?.content == DiskModel.content(blob) {
            model.damaged.remove(BlobKey(blob))
        } else if result.blob != nil || !model.damaged.contains(BlobKey(blob)) {
            let place = (try? disk.index.blob(BlobKey(blob)))?.map { "\($0)" } ?? "nowhere"
            faults.append("the content of \(blob) is \(result.blob == nil ? "missing" : "wrong"): \(place)")
        }
    }

    // MARK: - Chunks

    private mutating func check(_ name: ChunkName) throws {
        let expected = model.chunks[name] ?? .absent
        model.recentDrops.remove(name)
        guard model.owns(name) else { return }
        if model.dropped.contains(name), expected != .absent { model.dropped.remove(name) }
        let isDoubtful = disk.index.doubt(ofSlot: DiskModel.slot(name)) != 0
        do throws(StorageError) {
            let found: ChunkAnswer
            do { found = try disk.chunk(name, offset: 0, length: 0, probe: false) } catch { throw StorageError(error) }
            if expected == .absent { faults.append("\(name) came from nowhere") }
            if found.content != DiskModel.content(name.blob, name.index) { faults.append("\(name) is wrong") }
            model.chunks[name] = .present
            model.damaged.remove(BlobKey(name))
        } catch {
            let isHere = try disk.index.blob(BlobKey(name)) != nil
            if isHere {
                if error.status != .abstained || !model.damaged.contains(BlobKey(name)) {
                    faults.append("\(name): \(error)")
                }
                if expected == .absent { faults.append("\(name) came from nowhere, damaged") }
            } else {
                if expected == .present { faults.append("\(name): \(error)") }
                if error.status != (isDoubtful ? .abstained : .notFound) { faults.append("no \(name): \(error)") }
            }
            model.chunks[name] = isHere ? .present : .absent
        }
    }

    // MARK: - Notes of the node

    private mutating func checkHints() throws {
        // A copy that compaction made may stand beside the one that it was made of.
        let noted = try disk.index.hints(after: 0, limit: 10_000).map(\.hint)
        let found = Set(noted)
        for (hint, presence) in model.hints where presence != .unknown {
            if found.contains(hint) != (presence == .present) {
                faults.append("a hint is \(presence == .present ? "lost" : "back")")
            }
        }
        if !found.isSubset(of: model.hints.keys) { faults.append("a hint came from nowhere") }
        if disk.index.hintCount != UInt64(noted.count) { faults.append("the number of hints is wrong") }
        model.hints = model.hints.keys.reduce(into: [:]) { $0[$1] = found.contains($1) ? .present : .absent }
    }

    /// What is told of a second time does no harm, what a register refers to must not be told of.
    private mutating func checkReleases() throws {
        let releases = try disk.releases(after: [], limit: 10_000, notedBefore: .max)
        let found = Set(releases.flatMap(\.blobs).map(\.id))
        for (blob, presence) in model.releases where presence == .present && !found.contains(blob) {
            faults.append("released content is not told of")
        }
        if !found.isSubset(of: model.releases.keys) { faults.append("released content came from nowhere") }
        let inUse = model.registers.filter { model.owns($0.key) }.compactMap { $0.value.durable }
        for blob in inUse.compactMap(DiskModel.releasable) where found.contains(blob) {
            faults.append("content that is in use is told of as released")
        }
        if disk.index.releaseCount != UInt64(releases.count) { faults.append("the number of releases is wrong") }
    }

    // MARK: - Doubt and slots

    private mutating func checkDoubt() {
        for slot in DiskModel.slots {
            let isDoubtful = disk.index.doubt(ofSlot: slot) != 0
            let expected = model.doubts[slot] ?? .absent
            if model.owned.contains(slot), expected != .unknown, isDoubtful != (expected == .present) {
                faults.append(isDoubtful ? "a slot is in doubt" : "a doubt is forgotten")
            }
            // Of a slot that is elsewhere only the other disk's doubt counts.
            if expected == .unknown || !model.owned.contains(slot) {
                model.doubts[slot] = isDoubtful ? .present : .absent
            }
        }
        model.taught = model.taught.filter { model.doubt($0.key) != .absent }
        if disk.index.hasDoubt, disk.doubts.contains(where: { $0.bound != 0 }) { faults.append("a bound from nowhere") }
    }

    /// As the node does after a start: what remains of slots that are elsewhere goes.
    private mutating func finishLeaving() throws {
        if !model.remnants.isEmpty { try disk.leave(model.remnants) }
        model.remnants = SlotSet()
        try disk.forgetLeft { true }
        if disk.index.hasLeft { faults.append("slots are being left for ever") }
    }
}
