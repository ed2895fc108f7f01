import MessageBus
import Model
import ObjectAccess
import Register
import Wire

/// Says of a removal whose end nobody saw whether it took effect: from the registers of its key.
///
/// What is not there any more counts as removed, though somebody else may have done it in the same moment: rather an event too
/// many than none.
struct RemovalJudge: Sendable {
    let registers: any RegisterStoring

    /// nil: the version is still there as it was.
    func verdict(_ notice: RemovalNotice) async throws -> RemovalNotice.Removed? {
        guard let object = notice.object else { return nil }
        let state = try await registers.read(object, withBlob: false, context: .init()).state
        let sequence = state?.sequence ?? 0
        guard let marker = notice.marker else {
            let version = try await ObjectVersions(registers).version(notice.name.id, of: object, context: .init())
            guard version?.record.name != notice.name else { return nil }
            return .init(sequence: sequence)
        }
        let current = try KeyVersions(state).current
        guard current?.name != notice.name else { return nil }
        switch marker {
        case .null: return .init(sequence: sequence, marker: "null")
        case .numbered(let number):
            return try await made(number, above: notice.name, of: object).map {
                .init(sequence: sequence, marker: $0.id)
            }
        }
    }

    /// The marker among the versions that are newer than the one that it was to cover. It may not be the current one any more.
    private func made(
        _ number: UInt64, above name: VersionName, of object: Model.RegisterName
    ) async throws -> VersionName? {
        var merge = try await VersionMerge(
            registers, bucket: object.bucket, prefix: object.key, after: nil, limit: Limits.listKeysMax, .init())
        while let version = try await merge.next(), version.key == object.key, version.summary.name != name {
            if version.summary.name.number == number { return version.summary.name }
        }
        return nil
    }
}
