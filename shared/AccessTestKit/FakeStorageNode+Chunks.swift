import Checksums
import Model
import NIOCore
import Wire

extension FakeStorageNode {
    mutating func putChunk(_ request: PutChunkRequest, _ payload: [ByteBuffer]) throws -> Reply {
        guard let blob = BlobID(request.blob), let bytes = payload.first, crc32c(bytes) == request.crc32c else {
            throw Refusal(status: .malformed)
        }
        let existed = chunks.updateValue(bytes, forKey: ChunkName(blob: blob, index: request.index)) != nil
        return (PutChunkReply(existed: existed).encoded(), [])
    }

    func getChunk(_ request: GetChunkRequest) throws -> Reply {
        guard let blob = BlobID(request.blob) else { throw Refusal(status: .malformed) }
        guard let bytes = chunks[ChunkName(blob: blob, index: request.index)] else { throw Refusal(status: .notFound) }
        var reply = GetChunkReply(size: UInt32(bytes.readableBytes))
        if request.probe { return (reply.encoded(), []) }
        let offset = min(Int(request.offset), bytes.readableBytes)
        let left = bytes.readableBytes - offset
        let count = request.length == 0 ? left : min(left, Int(request.length))
        let part = bytes.getSlice(at: bytes.readerIndex + offset, length: count) ?? ByteBuffer()
        reply.crc32c = crc32c(part)
        return (reply.encoded(), [part])
    }

    // MARK: - Hints

    mutating func noteHint(_ request: NoteHintRequest) throws -> Reply {
        for var hint in request.hints {
            lastHint += 1
            hint.id = lastHint
            hints[lastHint] = hint
        }
        return (NoteHintReply().encoded(), [])
    }

    func fetchHints(_ request: FetchHintsRequest) throws -> Reply {
        let all = hints.values.filter {
            $0.id > request.after && (request.missed.isEmpty || $0.missed == request.missed)
        }
        let page = all.sorted { $0.id < $1.id }.prefix(Int(request.limit))
        return (FetchHintsReply(hints: Array(page), total: UInt64(hints.count)).encoded(), [])
    }

    mutating func forgetHints(_ request: ForgetHintsRequest) throws -> Reply {
        for id in request.ids { hints[id] = nil }
        return (ForgetHintsReply().encoded(), [])
    }
}
