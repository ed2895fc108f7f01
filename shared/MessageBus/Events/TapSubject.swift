import Model
import Wire

/// What a request is about, as the tap shows it.
struct TapSubject: Equatable {
    var key: [UInt8] = []
    /// Id in hex digits.
    var bucket = ""
    /// Number of the register's keyspace.
    var keyspace: UInt32 = 0
    /// The commit of a tombstone.
    var deletes = false
    /// A read of the content too.
    var wantsContent = false

    static func of(_ type: MessageType, body: [UInt8]) -> TapSubject {
        (try? read(type, body)) ?? TapSubject()
    }

    private static func read(_ type: MessageType, _ body: [UInt8]) throws -> TapSubject {
        switch type {
        case .read:
            let request = try ReadRequest(decoding: body)
            var subject = register(request.name)
            subject.wantsContent = request.withBlob
            return subject
        case .stage: return register(try StageRequest(decoding: body).name)
        case .commit:
            let request = try CommitRequest(decoding: body)
            var subject = register(request.name)
            subject.deletes = request.state?.deleted ?? false
            return subject
        case .learn: return register(try LearnRequest(decoding: body).name)
        case .putChunk:
            let request = try PutChunkRequest(decoding: body)
            return chunk(request.blob, request.index)
        case .getChunk:
            let request = try GetChunkRequest(decoding: body)
            return chunk(request.blob, request.index)
        case .list:
            let request = try ListRequest(decoding: body)
            return TapSubject(
                key: request.prefix, bucket: hexDigits(of: request.bucket), keyspace: request.keyspace)
        case .adminCommand, .nodeCommand:
            return TapSubject(key: Array(try AdminCommand(decoding: body).verb.utf8))
        default: return TapSubject()
        }
    }

    private static func register(_ name: Wire.RegisterName?) -> TapSubject {
        TapSubject(
            key: name?.key ?? [], bucket: hexDigits(of: name?.bucket ?? []), keyspace: name?.keyspace ?? 0)
    }

    private static func chunk(_ blob: [UInt8], _ index: UInt32) -> TapSubject {
        TapSubject(key: Array("\(hexDigits(of: blob))/\(index)".utf8))
    }
}
