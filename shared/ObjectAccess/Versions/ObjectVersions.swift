import MessageBus
import Model
import Register
import Wire

/// Reads and removes versions of objects, and carries out what is decided about archived ones: the shell around
/// ``KeyVersions``. Nothing is kept between calls.
public struct ObjectVersions: Sendable {
    private let storage: any RegisterStoring
    /// Wall clock, in milliseconds since 1970.
    private let clock: @Sendable () -> Int64

    /// How often a change starts anew because somebody else came first.
    private static let attemptsMax = 64
    /// A change of an archived version's register may be proposed so long after the decision was read. Far below the
    /// time for which tombstones are kept: they hold the revision that stops whoever comes late.
    private static let settlingTimeMax = Duration.seconds(60)

    public init(_ storage: any RegisterStoring, clock: @escaping @Sendable () -> Int64 = { WallClock.milliseconds }) {
        self.storage = storage
        self.clock = clock
    }

    /// The register was changed between reading and writing.
    private struct Overtaken: Error {}

    // MARK: - Reading

    /// A version by its id (empty: the null version); nil: it does not exist. May be a delete marker.
    public func version(
        _ id: String, of object: Model.RegisterName, context: MessageContext
    ) async throws -> (record: ObjectRecord, isCurrent: Bool)? {
        let state = try await storage.read(object, withBlob: false, context: context).state
        switch try KeyVersions(state).find(id) {
        case .current(let record): return (record, true)
        case .pending(_, let entry): return (try ObjectRecord(bytes: entry.record), false)
        case .absent: return nil
        case .archived(let name):
            let archived = try await storage.read(name.register(of: object), withBlob: false, context: context)
            return try ObjectRecord(archived).map { ($0, false) }
        }
    }

    /// The newest version but for the current one.
    private func newestNoncurrent(
        of object: Model.RegisterName, besides current: VersionName, context: MessageContext
    ) async throws -> ObjectRecord? {
        var query = ListQuery(
            bucket: object.bucket, keyspace: .versions, prefix: VersionName.keyPrefix(of: object.key), limit: 2,
            withRecords: true)
        while true {
            let page = try await storage.list(query, context: context)
            for case .key(_, _, let bytes?) in page.entries {
                let version = try ObjectRecord(bytes: bytes)
                if version.name != current { return version }
            }
            guard page.truncated, let next = page.next else { return nil }
            query.after = next
        }
    }

    // MARK: - Changing

    /// Removes one version for good; the newest other one becomes current if it was the current one.
    /// - Parameters:
    ///   - id: empty: the null version.
    ///   - refusing: is shown the version before it goes and may refuse.
    /// - Returns: the version that is gone, and the place of the decision in the chain of the key's register; nil: there was
    ///   none.
    @discardableResult
    public func remove(
        _ id: String, of object: Model.RegisterName, context: MessageContext,
        refusing: @escaping @Sendable (ObjectRecord?) throws -> Void = { _ in }
    ) async throws -> (record: ObjectRecord, sequence: UInt64)? {
        try await retrying { () async throws -> (record: ObjectRecord, sequence: UInt64)? in
            let (state, versions) = try await settled(object, context)
            let removed = try await find(id, in: versions, of: object, context)
            try refusing(removed?.record)
            guard let removed else { return nil }
            let isCurrent = versions.current?.name == removed.name
            let next =
                isCurrent && versions.noncurrent > 0
                ? try await newestNoncurrent(of: object, besides: removed.name, context: context) : nil
            var changed = versions
            if isCurrent {
                changed.removeCurrent(promoting: next, nowMilliseconds: clock())
            } else {
                changed.removeArchived(removed.name, nowMilliseconds: clock())
            }
            let sequence = try await replace(state, with: changed, object, deleting: true, context)
            if changed.hasArchived { try? await settle(object, context: context) }
            return (removed.record, sequence)
        }
    }

    /// Changes what is said about a version; its content and name stay.
    /// - Parameter id: nil: the current one.
    /// - Returns: the version as it is now, and the place of the decision in the chain of the key's register; nil: there is
    ///   none.
    public func change(
        _ id: String?, of object: Model.RegisterName, context: MessageContext,
        _ body: @escaping @Sendable (inout ObjectRecord) throws -> Void
    ) async throws -> (record: ObjectRecord, sequence: UInt64)? {
        try await retrying { () async throws -> (record: ObjectRecord, sequence: UInt64)? in
            let (state, versions) = try await settled(object, context)
            let id = id ?? versions.current?.versionId
            guard let id, let found = try await find(id, in: versions, of: object, context) else { return nil }
            var version = found.record
            try body(&version)
            var changed = versions
            try changed.replace(found.name, with: version, nowMilliseconds: clock())
            let sequence = try await replace(state, with: changed, object, deleting: false, context)
            if !changed.pending.isEmpty { try? await settle(object, context: context) }
            return (version, sequence)
        }
    }

    private func find(
        _ id: String, in versions: KeyVersions, of object: Model.RegisterName, _ context: MessageContext
    ) async throws -> (name: VersionName, record: ObjectRecord)? {
        switch versions.find(id) {
        case .current(let record): return (record.name, record)
        case .pending(let name, let entry): return (name, try ObjectRecord(bytes: entry.record))
        case .absent: return nil
        case .archived(let name):
            let archived = try await storage.read(name.register(of: object), withBlob: false, context: context)
            return try ObjectRecord(archived).map { (name, $0) }
        }
    }

    /// Writes, if the register is still what was read. Returns the place of the change in the register's chain.
    private func replace(
        _ state: RegisterState<StoredRecord>?, with versions: KeyVersions, _ object: Model.RegisterName,
        deleting: Bool, _ context: MessageContext
    ) async throws -> UInt64 {
        let stored = versions.stored
        let sequence = state?.sequence ?? 0
        let changed = try await storage.update(
            object, deleting: deleting, staged: nil, operation: .random(), context: context
        ) { present in
            (present?.sequence ?? 0) == sequence ? .write(stored) : .refuse(Overtaken())
        }
        return changed?.sequence ?? 0
    }

    private func retrying<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        for _ in 0..<Self.attemptsMax {
            do { return try await body() } catch AccessError.refused(is Overtaken) { continue }
        }
        throw AccessError.overloaded
    }

    // MARK: - Carrying out

    /// The register with nothing pending.
    private func settled(
        _ object: Model.RegisterName, _ context: MessageContext
    ) async throws -> (RegisterState<StoredRecord>?, KeyVersions) {
        for _ in 0..<Self.attemptsMax {
            let state = try await storage.read(object, withBlob: false, context: context).state
            let versions = try KeyVersions(state)
            if versions.pending.isEmpty { return (state, versions) }
            try await carryOut(versions.pending, object, context)
        }
        throw AccessError.overloaded
    }

    /// Carries out what is decided about archived versions of a key and not done yet.
    public func settle(_ object: Model.RegisterName, context: MessageContext) async throws {
        _ = try await settled(object, context)
    }

    private func carryOut(
        _ pending: [PendingVersion], _ object: Model.RegisterName, _ context: MessageContext
    ) async throws {
        let deadline = ContinuousClock.now + Self.settlingTimeMax
        for entry in pending {
            _ = try await storage.update(
                entry.name.register(of: object), deleting: entry.record.isEmpty, staged: nil, operation: .random(),
                context: context
            ) { state in
                do {
                    let isNewer = try Self.revision(state) < entry.revision
                    guard isNewer else { return .keep }
                    guard ContinuousClock.now < deadline else { return .refuse(AccessError.deadlineExceeded) }
                    return .write(try entry.archivedRecord)
                } catch {
                    return .refuse(error)
                }
            }
        }
        _ = try await storage.update(
            object, deleting: true, staged: nil, operation: .random(), context: context
        ) { state in
            do {
                var versions = try KeyVersions(state)
                let before = versions
                versions.settle(pending)
                return versions == before ? .keep : .write(versions.stored)
            } catch {
                return .refuse(error)
            }
        }
    }

    private static func revision(_ state: RegisterState<StoredRecord>?) throws -> UInt64 {
        guard let record = state?.record, !record.bytes.isEmpty else { return 0 }
        return try ObjectRecord(stored: record).revision
    }
}

extension PendingVersion {
    /// What the version's own register is to hold. A tombstone keeps the revision; a delete marker is none here.
    fileprivate var archivedRecord: StoredRecord {
        get throws {
            guard record.isEmpty else {
                var stored = try ObjectRecord(bytes: record).stored
                stored.deleted = false
                return stored
            }
            return ObjectRecord(version: ObjectRecord.formatVersion, kind: .versionNone, revision: revision).stored
        }
    }
}
