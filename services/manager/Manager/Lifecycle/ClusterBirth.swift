import Checksums
import ClusterState
import Model
import Wire

/// What a cluster is made with. Counts only the first time.
struct BirthPlan: Sendable {
    var level: ConsistencyLevel
    var partitions: Int
    var dataCenter: String
    var manager: MemberRecord
    var adminKey: [UInt8]
    /// The administrator's secret key; nil: not kept in the store.
    var adminSecret: [UInt8]?
}

/// The first entries of the state, and the manager's own entries at every start.
enum ClusterBirth {
    private static let masterKeyProbe = Array("martlet master key".utf8)

    enum Refused: Error, CustomStringConvertible {
        case wrongMasterKey

        var description: String {
            "this is not the master key that the cluster's secrets are sealed with; bring back the file master-key "
                + "(or manager.master_key)"
        }
    }

    /// Everything in one transaction: a crash leaves no half-made cluster.
    static func ensure(
        _ plan: BirthPlan, _ state: ManagerState, _ edit: inout StateEdit, _ context: VerbContext
    ) throws {
        if let check = state.entries[ManagerKeys.masterKeyCheck] {
            guard (try? context.masterKey.unseal(check.value)) == masterKeyProbe else { throw Refused.wrongMasterKey }
        } else {
            edit.put(ManagerKeys.masterKeyCheck, bytes: context.masterKey.seal(masterKeyProbe))
        }
        if state.view.settings == nil { edit.put(ClusterKeys.settings, settings(plan, context)) }
        try putManager(plan.manager, state, &edit, context)
        putAdministrator(plan, state, &edit, context)
    }

    private static func settings(_ plan: BirthPlan, _ context: VerbContext) -> ClusterSettings {
        var settings = ClusterSettings(
            clusterId: hexDigits(of: context.random(16)), dataCenterId: plan.dataCenter,
            partitions: UInt32(plan.partitions), hashKey: context.random(16))
        settings.set(plan.level)
        return settings
    }

    private static func putManager(
        _ manager: MemberRecord, _ state: ManagerState, _ edit: inout StateEdit, _ context: VerbContext
    ) throws {
        var record = manager
        record.state = .running
        let known = state.view.members[record.nodeName]
        record.writer = try known?.writer ?? EnrolmentDesk.nextWriter(state, &edit)
        record.updatedMilliseconds = known?.updatedMilliseconds ?? context.now
        guard record != known else { return }
        record.updatedMilliseconds = context.now
        edit.put(ClusterKeys.member(record.nodeName), record)
    }

    private static func putAdministrator(
        _ plan: BirthPlan, _ state: ManagerState, _ edit: inout StateEdit, _ context: VerbContext
    ) {
        // Another manager was first: its pair is the one.
        guard state.entries[ManagerKeys.adminKeyPair] == nil else { return }
        let (name, key) = (AdminFile.memberName, plan.adminKey)
        if let secret = plan.adminSecret {
            edit.put(ManagerKeys.adminKeyPair, bytes: context.masterKey.seal(key + secret))
        }
        guard state.view.members[name]?.publicKey != key else { return }
        let record = MemberRecord(
            name: name.rawValue, role: .admin, publicKey: key, state: .running, updatedMilliseconds: context.now,
            version: context.version)
        edit.put(ClusterKeys.member(name), record)
    }
}
