import ClusterState
import Model

/// Join tokens.
enum TokenVerbs {
    static let hoursMax = 24 * 366

    static func create(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        var hours = 24
        var record = TokenRecord(id: "", sealedSecret: [], expiresMilliseconds: 0, oneTime: true)
        for argument in call.arguments {
            let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
            switch (parts.first ?? "", parts.count) {
            case ("reusable", 1): record.oneTime = false
            case ("replace", 1): record.mayReplace = true
            case ("name", 2) where NodeName(parts[1]).isValid: record.name = parts[1]
            case ("hours", 2) where (1...hoursMax).contains(Int(parts[1]) ?? 0): hours = Int(parts[1]) ?? hours
            default: throw VerbError(.invalidArgument, "not understood: \(argument)")
            }
        }
        guard !record.mayReplace || record.name != nil else {
            throw VerbError(.invalidArgument, "A token that replaces a key is for one name")
        }
        let token = make(&record, hours: hours, call.context)
        edit.put(ManagerKeys.token(token.id), bytes: record.encoded())
        forgetExpired(call.state, now: call.context.now, &edit)
        return TokenReport(
            id: token.id, token: token.description, expiresAt: timeText(milliseconds: record.expiresMilliseconds),
            reusable: !record.oneTime)
    }

    /// Fills in id, secret and expiry.
    static func make(_ record: inout TokenRecord, hours: Int, _ context: VerbContext) -> JoinToken {
        let token = JoinToken(
            id: hexDigits(of: context.random(16)), secret: context.random(32), managerKey: context.managerKey)
        record.id = token.id
        record.sealedSecret = context.masterKey.seal(token.secret)
        record.expiresMilliseconds = context.now + Int64(hours) * 3_600_000
        return token
    }

    private static func forgetExpired(_ state: ManagerState, now: Int64, _ edit: inout StateEdit) {
        for (key, entry) in state.entries where key.hasPrefix(ManagerKeys.tokenPrefix) {
            if let record = try? TokenRecord(decoding: entry.value), record.expiresMilliseconds < now {
                edit.delete(key)
            }
        }
    }
}
