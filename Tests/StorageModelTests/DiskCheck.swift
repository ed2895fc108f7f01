import MetadataIndex
import Model
import Register

@testable import Storage

/// Compares a disk that has just started with the model, which takes over what it finds.
struct DiskCheck {
    private(set) var model: DiskModel
    private let disk: DiskReplica
    private(set) var faults: [String] = []

    init(_ model: DiskModel, _ disk: DiskReplica) {
        (self.model, self.disk) = (model, disk)
    }

    mutating func run() throws {
        for name in DiskModel.names { check(name) }
        for name in DiskModel.chunkNames { check(name) }
        try checkHints()
        try checkSums()
        try checkListing()
        if !disk.index.doubts.isEmpty { faults.append("the disk is in doubt") }
    }

    private mutating func check(_ name: RegisterName) {
        let answer = Answer<ReadResult>()
        disk.read(name, withBlob: true, answer.completion)
        let register = model.registers[name] ?? .init()
        switch answer.wait() {
        case .failure(let error): faults.append("\(name.key.count) bytes of key: \(error)")
        case .success(let result):
            if !register.allowed.contains(result.state) {
                faults.append(
                    "found \(result.state.map { "\($0.tag)" } ?? "nothing"), allowed "
                        + register.allowed.map { $0.map { "\($0.tag)" } ?? "nothing" }.joined(separator: ", "))
            }
            if let blob = result.state?.record?.blobs.first, result.blob?.content != DiskModel.content(blob) {
                let place = (try? disk.index.blob(BlobKey(blob)))?.map { "\($0)" } ?? "nowhere"
                faults.append("the content of \(blob) is \(result.blob == nil ? "missing" : "wrong"): \(place)")
            }
            model.registers[name] = .init(durable: result.state, promise: register.promise)
            model.counter = max(model.counter, result.counter)
        }
    }

    private mutating func check(_ name: ChunkName) {
        let expected = model.chunks[name] ?? .absent
        model.recentDrops.remove(name)
        if model.dropped.contains(name), expected != .absent { model.dropped.remove(name) }
        do throws(StorageError) {
            let found: ChunkAnswer
            do { found = try disk.chunk(name, offset: 0, length: 0, probe: false) } catch { throw StorageError(error) }
            if expected == .absent { faults.append("\(name) came from nowhere") }
            if found.content != DiskModel.content(name.blob, name.index) { faults.append("\(name) is wrong") }
            model.chunks[name] = .present
        } catch {
            if expected == .present || error.status != .notFound { faults.append("\(name): \(error)") }
            model.chunks[name] = .absent
        }
    }

    private mutating func checkHints() throws {
        let found = Set(try disk.index.hints(after: 0, limit: 10_000).map(\.hint))
        for (hint, presence) in model.hints where presence != .unknown {
            if found.contains(hint) != (presence == .present) {
                faults.append("a hint is \(presence == .present ? "lost" : "back")")
            }
        }
        if !found.isSubset(of: model.hints.keys) { faults.append("a hint came from nowhere") }
        if disk.index.hintCount != UInt64(found.count) { faults.append("the number of hints is wrong") }
        model.hints = model.hints.keys.reduce(into: [:]) { $0[$1] = found.contains($1) ? .present : .absent }
    }

    private mutating func checkSums() throws {
        for bucket in DiskModel.buckets {
            let (found, expected) = (try disk.index.bucketTotals(bucket), model.totals(of: bucket))
            if found.objects != expected.objects || found.bytes != expected.bytes {
                faults.append("totals of a bucket: \(found), not \(expected)")
            }
        }
        let (totals, entries) = (disk.index.totals, try entrySizes())
        if totals.activeRecords != UInt64(entries.count) || totals.activeBytes != entries.reduce(0, +) {
            faults.append("\(totals), but \(entries.count) entries of \(entries.reduce(0, +)) bytes")
        }
        if totals.tombstones != UInt64(model.tombstones) {
            faults.append("\(totals), not \(model.tombstones) tombstones")
        }
    }

    /// Sizes of the records that the index knows. A blob may be without its register, when the crash came between them.
    private func entrySizes() throws -> [UInt64] {
        let registers = try DiskModel.names.compactMap { try disk.index.register($0)?.recordSize }
        let keys = DiskModel.chunkNames.map { BlobKey($0) } + model.blobs.map { BlobKey($0) }
        return (registers + (try keys.compactMap { try disk.index.blob($0)?.recordSize })).map { UInt64($0) }
    }

    private mutating func checkListing() throws {
        for bucket in DiskModel.buckets {
            let page = try disk.index.list(IndexQuery(bucket: bucket, limit: 1000))
            let found = page.entries.map(\.key)
            let expected = model.registers.filter {
                $0.key.bucket == bucket && $0.key.keyspace == .objects && $0.value.durable?.record != nil
            }.keys.map(\.key).sorted { $0.lexicographicallyPrecedes($1) }
            if found != expected { faults.append("\(found.count) keys are listed, not \(expected.count)") }
        }
    }

    /// An index made from the log alone says the same.
    mutating func compare(with rebuilt: DiskReplica) throws {
        let (one, other) = (disk.index, rebuilt.index)
        if one.totals != other.totals { faults.append("totals \(one.totals), rebuilt \(other.totals)") }
        if one.segmentTotals != other.segmentTotals {
            faults.append("segments \(one.segmentTotals), rebuilt \(other.segmentTotals)")
        }
        if one.ceiling != other.ceiling { faults.append("ceiling \(one.ceiling), rebuilt \(other.ceiling)") }
        for name in DiskModel.names where try one.register(name) != other.register(name) {
            faults.append("a rebuilt index has another entry for a register")
        }
        for name in DiskModel.chunkNames where try one.blob(BlobKey(name)) != other.blob(BlobKey(name)) {
            faults.append("a rebuilt index has another entry for a chunk")
        }
    }
}
