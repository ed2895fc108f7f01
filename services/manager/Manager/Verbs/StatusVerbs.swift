import ClusterState
import Model
import Wire

/// What the cluster looks like.
enum StatusVerbs {
    static func version(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        VersionReport(
            version: call.context.version,
            nodes: members(call.state.view).map {
                VersionReport.Node(type: letter($0.role), node: $0.name, version: $0.version)
            })
    }

    static func status(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let view = call.state.view
        return StatusReport(
            systemInfo: systemInfo(view, version: call.context.version),
            nodeList: members(view).map { node($0, view, call.context) })
    }

    private static func systemInfo(_ view: ClusterView, version: String) -> StatusReport.SystemInfo {
        let level = view.consistency
        let hash = view.ring?.hashText ?? ""
        return StatusReport.SystemInfo(
            version: version, clusterId: view.settings?.clusterId ?? "", dcId: view.settings?.dataCenterId ?? "",
            n: level.replicas, r: level.read, w: level.write, d: level.delete,
            rackAwarenessReplicas: Int(view.settings?.zoneReplicas ?? 0), ringSize: 128,
            partitions: Int(view.settings?.partitions ?? 0), ringEpoch: view.epoch, ringHashCur: hash,
            ringHashPrev: hash, linearizable: level.isLinearizable)
    }

    private static func node(
        _ member: MemberRecord, _ view: ClusterView, _ context: VerbContext
    ) -> StatusReport.Node {
        let liveness = context.liveness[NodeName(member.name)]
        var hash = liveness.map { $0.isAlive && $0.epoch > 0 ? hex($0.ringHash) : "" } ?? ""
        let isOwn = member.nodeName == context.managerName
        if isOwn { hash = view.ring?.hashText ?? "" }
        return StatusReport.Node(
            type: letter(member.role), node: member.name, state: member.state.word, rackId: member.zone,
            ringCur: hash, ringPrev: hash, when: timeText(milliseconds: member.updatedMilliseconds),
            version: member.version,
            liveness: isOwn ? "alive" : liveness?.verdict.rawValue ?? "unknown",
            silentMilliseconds: liveness?.silence.map { Int64($0 / .milliseconds(1)) })
    }

    /// Managers, storage nodes, gateways, then the rest; the administrator's own key is no node.
    static func members(_ view: ClusterView) -> [MemberRecord] {
        let order = "MSGRP"
        func rank(_ member: MemberRecord) -> Int {
            order.firstIndex(of: Character(letter(member.role)))
                .map { order.distance(from: order.startIndex, to: $0) } ?? order.count
        }
        return view.members.values.filter { $0.role != .admin }.sorted { (rank($0), $0.name) < (rank($1), $1.name) }
    }

    static func letter(_ role: MemberRole) -> String {
        switch role {
        case .manager: "M"
        case .storage: "S"
        case .gateway: "G"
        case .replicator: "R"
        case .repair: "P"
        default: "?"
        }
    }

    static func hex(_ hash: UInt32) -> String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}
