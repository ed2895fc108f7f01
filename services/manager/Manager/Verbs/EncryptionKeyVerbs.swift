import ClusterState
import Model
import Wire

/// Named keys of SSE-KMS. They are never shown: made here, sealed with the master key, opened by gateways.
enum EncryptionKeyVerbs {
    static let keysMax = 1000
    static let versionsMax = 1000

    static func create(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let name = call.argument(0)
        guard NodeName(name).isValid, name != "aws" else {
            throw VerbError(.invalidArgument, "A key's name has 1 to 64 letters, digits and . _ - @")
        }
        let present = call.state.view.encryptionKeys
        guard present[name] == nil else { throw VerbError(.conflict, "Already exists") }
        guard present.count < keysMax else {
            throw VerbError(.conflict, "There are \(keysMax) keys, as many as allowed")
        }
        let key = EncryptionKeyRecord(
            name: name, versions: [version(1, call)], createdMilliseconds: call.context.now)
        edit.put(ClusterKeys.encryptionKey(name), key)
        return report([key])
    }

    /// New objects get the new version; what older ones have sealed stays readable.
    static func rotate(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        var key = try existing(call)
        guard key.versions.count < versionsMax, let last = key.versions.last else {
            throw VerbError(.conflict, "The key has \(key.versions.count) versions, no more are made")
        }
        key.versions.append(version(last.number + 1, call))
        edit.put(ClusterKeys.encryptionKey(key.name), key)
        return report([key])
    }

    static func disable(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        try set(disabled: true, call, &edit)
    }

    static func enable(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        try set(disabled: false, call, &edit)
    }

    static func list(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        report(call.state.view.encryptionKeys.values.sorted { $0.name < $1.name })
    }

    private static func set(
        disabled: Bool, _ call: VerbCall, _ edit: inout StateEdit
    ) throws(VerbError) -> any Encodable & Sendable {
        var key = try existing(call)
        key.disabled = disabled
        edit.put(ClusterKeys.encryptionKey(key.name), key)
        return report([key])
    }

    private static func existing(_ call: VerbCall) throws(VerbError) -> EncryptionKeyRecord {
        guard let key = call.state.view.encryptionKeys[call.argument(0)] else {
            throw VerbError(.notFound, "Key not found")
        }
        return key
    }

    private static func version(_ number: UInt32, _ call: VerbCall) -> EncryptionKeyVersion {
        EncryptionKeyVersion(
            number: number, sealedKey: call.context.masterKey.seal(call.context.random(32)),
            createdMilliseconds: call.context.now)
    }

    private static func report(_ keys: [EncryptionKeyRecord]) -> EncryptionKeysReport {
        EncryptionKeysReport(
            keys: keys.map {
                EncryptionKeysReport.Key(
                    name: $0.name, state: $0.disabled ? "disabled" : "enabled", versions: $0.versions.count,
                    createdAt: timeText(milliseconds: $0.createdMilliseconds),
                    rotatedAt: timeText(milliseconds: $0.versions.last?.createdMilliseconds ?? 0))
            })
    }
}
