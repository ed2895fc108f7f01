import Checksums
import Model
import NIOHTTP1
import ObjectAccess
import Register
import S3Protocol
import Synchronization
import Wire

/// One change that makes a new version of a key the current one: judged, placed among the others and proposed in one step.
final class VersionedWrite: Sendable {
    let object: ObjectRecord
    private let mode: VersioningMode
    private let condition: WriteCondition
    private let nowMilliseconds: Int64
    private let hold: QuotaHold?
    private let stored: UInt64
    private let pass: @Sendable (StoredRecord) -> Change
    /// Tells the version from all others; the same one for every attempt.
    private let number: UInt64
    private let proposed = Mutex<ObjectRecord?>(nil)

    /// - Parameters:
    ///   - hold: the quotas that the write must keep; nil: there is none.
    ///   - stored: bytes of the object that count already: those of its parts.
    init(
        _ object: ObjectRecord, mode: VersioningMode, condition: WriteCondition, nowMilliseconds: Int64,
        hold: QuotaHold? = nil, stored: UInt64 = 0,
        pass: @escaping @Sendable (StoredRecord) -> Change
    ) {
        self.object = object
        self.mode = mode
        self.condition = condition
        self.nowMilliseconds = nowMilliseconds
        self.hold = hold
        self.stored = stored
        self.pass = pass
        number = .random(in: 1 ... .max)
    }

    func change(_ state: StoredRegister?) -> Change {
        do {
            try condition.check(presentIn: state, nowMilliseconds: nowMilliseconds)
            var versions = try KeyVersions(state)
            var usage = UsageChange(
                objects: object.isDeleteMarker ? 0 : 1,
                bytes: Int64(clamping: object.storedSize) - Int64(clamping: stored))
            try versions.put(object, mode, number: number, nowMilliseconds: nowMilliseconds) { [nowMilliseconds] old in
                try ObjectLock.checkRemoval(of: old, bypass: false, nowMilliseconds: nowMilliseconds)
                usage = usage + old.removal
            }
            try hold?.reserve(usage)
            proposed.withLock { $0 = versions.current }
            return pass(versions.stored)
        } catch {
            return .refuse(error)
        }
    }

    /// The version as it was written. `state` is what the change led to.
    func written(_ state: StoredRegister?) throws -> ObjectRecord {
        let present = try KeyVersions(state)
        if let current = present.current, VersionName(id: current.versionId)?.number == number { return current }
        for entry in present.pending where VersionName(id: entry.versionId)?.number == number {
            if !entry.record.isEmpty { return try ObjectRecord(bytes: entry.record) }
        }
        // Written by an attempt of another process, or somebody was faster than the answer.
        return proposed.withLock { $0 } ?? present.current ?? object
    }
}

extension S3Operations {
    /// How often a write is tried again after what stood in its way was done.
    private static let writeAttemptsMax = 16

    /// Makes a new version current and returns it as it was written, with its place in the chain of the key's register.
    func perform(
        _ write: VersionedWrite, on name: RegisterName, staged: StagedBlob? = nil, operation: OperationID = .random(),
        _ call: S3Call, unless refuse: @escaping @Sendable (StoredRegister?) -> Change? = { _ in nil }
    ) async throws -> (object: ObjectRecord, sequence: UInt64) {
        for _ in 0..<Self.writeAttemptsMax {
            do {
                let state = try await storage.update(
                    name, deleting: false, staged: staged, operation: operation, context: call.context
                ) { refuse($0) ?? write.change($0) }
                let written = try write.written(state)
                if let state, try KeyVersions(state).pending.count > 0 { archive.settle(name) }
                return (written, state?.sequence ?? 0)
            } catch AccessError.refused(KeyVersions.Obstacle.unsettled) {
                try await versions.settle(name, context: call.context)
            } catch AccessError.refused(KeyVersions.Obstacle.contentBesideRegister) {
                try await moveContent(of: name, call)
            }
        }
        throw AccessError.overloaded
    }

    /// Content that stands beside a register cannot go with a version that is archived: it becomes a chunk, of the same
    /// blob. Repeating it, also by two gateways at a time, does no harm.
    private func moveContent(of name: RegisterName, _ call: S3Call) async throws {
        let snapshot = try await storage.read(name, withBlob: true, context: call.context)
        guard let object = try ObjectRecord(snapshot), let bytes = snapshot.blob, object.blobs.count == 1,
            object.blobs[0].chunkSize == 0, let blob = BlobID(object.blobs[0].id)
        else { return }
        try await storage.putChunk(ChunkName(blob: blob, index: 0), bytes, owner: name, context: call.context)
        _ = try await storage.update(name, context: call.context) { state in
            guard let record = state.flatMap({ $0.isLive ? $0.record : nil }) else { return .keep }
            do {
                var present = try ObjectRecord(stored: record)
                guard present.blobs == object.blobs else { return .keep }
                present.blobs[0].chunkSize = UInt32(Limits.chunkSize)
                return .write(present.stored)
            } catch {
                return .refuse(error)
            }
        }
    }

    // MARK: - Answers

    /// How answers name a version of a bucket; nil: the bucket never had versions.
    func shownVersion(_ object: ObjectRecord, _ bucket: BucketRecord) -> String? {
        guard object.isNull else { return object.versionId }
        return bucket.versioning == .unversioned ? nil : "null"
    }

    func addVersion(of object: ObjectRecord, _ call: S3Call, to headers: inout HTTPHeaders) {
        if let id = shownVersion(object, call.bucket) { headers.replaceOrAdd(name: "x-amz-version-id", value: id) }
    }
}

/// The version that a request names, as records have it; nil: the current one.
func requestedVersion(_ id: String?) throws -> String? {
    guard let id else { return nil }
    if id == "null" { return "" }
    guard VersionName(id: id) != nil else {
        throw S3Error.invalidArgument("Invalid version id specified", name: "versionId", value: id)
    }
    return id
}

extension ObjectRecord {
    /// What the bucket holds less when this version goes.
    var removal: UsageChange {
        isDeleteMarker ? UsageChange() : UsageChange(objects: -1, bytes: -Int64(clamping: storedSize))
    }
}
