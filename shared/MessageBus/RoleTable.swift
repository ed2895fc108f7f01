import Wire

/// Which role may send which request. One table for the whole cluster; what is not in it is refused.
public enum RoleTable {
    private static let members: [MemberRole] = [.gateway, .storage, .replicator, .repair, .manager]

    private static let senders: [MessageType: Set<MemberRole>] = [
        .ping: Set(members + [.admin]),
        .probe: [.manager],
        .nodeCommand: [.manager, .admin],
        .heartbeat: Set(members),
        .read: [.gateway, .replicator, .repair, .manager],
        .stage: [.gateway, .replicator, .repair],
        .commit: [.gateway, .replicator, .repair],
        .learn: [.gateway, .replicator, .repair],
        .list: [.gateway, .replicator, .repair, .manager],
        .putChunk: [.gateway, .replicator, .repair],
        .getChunk: [.gateway, .replicator, .repair, .manager],
        .dropChunks: [.gateway, .repair],
        .noteHint: [.gateway, .replicator, .repair],
        .fetchHints: [.replicator, .repair, .manager],
        .forgetHints: [.replicator, .repair],
        .digestPartitions: [.replicator, .repair, .manager],
        .listPartition: [.replicator, .repair],
        .fetchDamage: [.repair, .manager],
        .fetchReleases: [.repair],
        .forgetReleases: [.repair],
        .fetchDoubts: [.repair, .manager],
        .fence: [.repair],
        .trust: [.repair],
        .adoptRing: [.repair, .manager],
        .fetchTombstones: [.repair],
        .purge: [.repair],
        .raiseFloor: [.repair],
        .fetchUsage: [.gateway, .manager],
        // Members announce where they are reachable now; everybody else comes by the enrolment socket.
        .enrol: Set(members + [.roleUnspecified]),
        .fetchState: Set(members + [.admin]),
        .adminCommand: [.admin, .manager],
        .changeBucket: [.gateway, .repair, .manager],
        .revokeToken: [.gateway],
        .changeAccount: [.gateway],
        .reportMoves: [.repair],
        .publishEvents: [.repair],
    ]

    /// Bit r of entry t: role r may send type t.
    private static let masks: [UInt16] = {
        var masks = [UInt16](repeating: 0, count: Int(senders.keys.map(\.rawValue).max()!) + 1)
        for (type, roles) in senders {
            for role in roles { masks[Int(type.rawValue)] |= 1 << UInt16(role.rawValue) }
        }
        return masks
    }()

    /// Whether the type is a request at all.
    static func knows(_ type: MessageType) -> Bool { mask(type) != 0 }

    public static func permits(_ role: MemberRole, toSend type: MessageType) -> Bool {
        (0..<16).contains(role.rawValue) && mask(type) >> UInt16(role.rawValue) & 1 == 1
    }

    private static func mask(_ type: MessageType) -> UInt16 {
        masks.indices.contains(Int(type.rawValue)) ? masks[Int(type.rawValue)] : 0
    }
}
