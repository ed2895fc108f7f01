import Model
import Wire

/// What a request is about, as the tap shows it.
struct TapSubject: Equatable {
    var key: [UInt8] = []
    /// Id in hex digits.
    var bucket = ""

    static func of(_ type: MessageType, body: [UInt8]) -> TapSubject {
        (try? read(type, body)) ?? TapSubject()
    }

    private static func read(_ type: MessageType, _ body: [UInt8]) throws -> TapSubject {
        switch type {
        case .read: return register(try ReadRequest(decoding: body).name)
        case .stage: return register(try StageRequest(decoding: body).name)
        case .commit: return register(try CommitRequest(decoding: body).name)
        case .learn: return register(try LearnRequest(decoding: body).name)
        case .putChunk:
            let request = try PutChunkRequest(decoding: body)
            return chunk(request.blob, request.index)
        case .getChunk:
            let request = try GetChunkRequest(decoding: body)
            return chunk(request.blob, request.index)
        case .list:
            let request = try ListRequest(decoding: body)
            return TapSubject(key: request.prefix, bucket: hexDigits(of: request.bucket))
        case .adminCommand, .nodeCommand:
            return TapSubject(key: Array(try AdminCommand(decoding: body).verb.utf8))
        default: return TapSubject()
        }
    }

    private static func register(_ name: Wire.RegisterName?) -> TapSubject {
        TapSubject(key: name?.key ?? [], bucket: hexDigits(of: name?.bucket ?? []))
    }

    private static func chunk(_ blob: [UInt8], _ index: UInt32) -> TapSubject {
        TapSubject(key: Array("\(hexDigits(of: blob))/\(index)".utf8))
    }
}
