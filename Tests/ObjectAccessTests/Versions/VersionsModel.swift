import Model
import ObjectAccess
import Register
import Synchronization
import Testing
import Wire

typealias RegisterName = Model.RegisterName

/// The versions of one key as a client sees them: what all registers together amount to.
struct VisibleVersions: Equatable {
    var current: VersionName?
    /// Without the number of the decision, which says nothing to clients.
    var versions: [VersionName: ObjectRecord] = [:]

    init(_ object: RegisterName, _ registers: [RegisterName: RegisterState<StoredRecord>]) throws {
        let key = try KeyVersions(registers[object])
        for (name, state) in registers where name.keyspace == .versions && state.isLive {
            guard let record = state.record else { continue }
            let version = try ObjectRecord(stored: record)
            versions[version.name] = Self.shown(version)
        }
        for entry in key.pending {
            let record = entry.record.isEmpty ? nil : try ObjectRecord(bytes: entry.record)
            let name = VersionName(id: entry.versionId) ?? .null(at: entry.place)
            versions[name] = record.map(Self.shown)
        }
        if let present = key.current {
            current = present.name
            versions[present.name] = Self.shown(present)
        }
        try check(key)
    }

    private static func shown(_ record: ObjectRecord) -> ObjectRecord {
        var record = record.versionAlone
        record.revision = 0
        return record
    }

    /// What the register of the key says of the others is true.
    private func check(_ key: KeyVersions) throws {
        let others = versions.keys.filter { $0 != current }
        #expect(key.noncurrent == UInt64(others.count))
        #expect(current != nil || others.isEmpty)
        #expect(others.allSatisfy { $0.place < current?.place ?? 0 })
        #expect(versions.keys.count(where: \.isNull) <= 1)
        let null = others.first(where: \.isNull)
        #expect((key.current?.nullPlace ?? 0) == null?.place ?? 0)
    }
}

/// Watches every write: only the register of the key may change what clients see, by one step at a time.
final class VersionsObserver: Sendable {
    let object: RegisterName
    private let steps = Mutex(0)

    init(_ object: RegisterName) { self.object = object }

    var stepCount: Int { steps.withLock { $0 } }

    func onWrite(
        _ name: RegisterName, _ before: [RegisterName: RegisterState<StoredRecord>],
        _ after: [RegisterName: RegisterState<StoredRecord>]
    ) {
        do {
            let old = try VisibleVersions(object, before)
            let new = try VisibleVersions(object, after)
            guard name == object else {
                #expect(old == new, "archiving changed what clients see")
                return
            }
            let added = Set(new.versions.keys).subtracting(old.versions.keys)
            let removed = Set(old.versions.keys).subtracting(new.versions.keys)
            let changed = old.versions.filter { new.versions[$0.key] != nil && new.versions[$0.key] != $0.value }
            #expect(added.count + changed.count <= 1)
            #expect(removed.count <= 1)
            #expect(added.isEmpty || removed.allSatisfy(\.isNull), "a write removed another version than null")
            #expect(added.allSatisfy { $0 == new.current }, "a version came back, or did not become current")
            if old != new { steps.withLock { $0 += 1 } }
        } catch {
            Issue.record("\(error)")
        }
    }
}
