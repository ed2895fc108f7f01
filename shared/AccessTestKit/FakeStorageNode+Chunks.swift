import Checksums
import Model
import NIOCore
import Wire

extension FakeStorageNode {
    mutating func putChunk(_ request: PutChunkRequest, _ payload: [ByteBuffer]) throws -> Reply {
        guard let blob = BlobID(request.blob), let bytes = payload.first, crc32c(bytes) == request.crc32c else {
            throw Refusal(status: .malformed)
        }
        let name = ChunkName(blob: blob, index: request.index)
        guard !droppedChunks.contains(name) else { throw Refusal(status: .notFound) }
        if isFull, chunks[name] == nil { throw Refusal(status: .diskFull) }
        let existed = chunks.updateValue(bytes, forKey: name) != nil
        if !existed {
            chunkOwners[name] = ChunkOwner(
                register: Model.RegisterName(request.owner), writtenMilliseconds: request.writtenMilliseconds)
        }
        heal { $0.chunk && $0.blob == blob.bytes && $0.index == request.index }
        return (PutChunkReply(existed: existed).encoded(), [])
    }

    mutating func dropChunks(_ request: DropChunksRequest) throws -> Reply {
        guard let blob = BlobID(request.blob), request.count > 0,
            let end = UInt32(exactly: UInt64(request.first) + UInt64(request.count))
        else { throw Refusal(status: .malformed) }
        var dropped: UInt32 = 0
        for index in request.first..<end {
            let name = ChunkName(blob: blob, index: index)
            droppedChunks.insert(name)
            chunkOwners[name] = nil
            if chunks.removeValue(forKey: name) != nil { dropped += 1 }
        }
        return (DropChunksReply(dropped: dropped).encoded(), [])
    }

    func getChunk(_ request: GetChunkRequest) throws -> Reply {
        guard let blob = BlobID(request.blob) else { throw Refusal(status: .malformed) }
        let name = ChunkName(blob: blob, index: request.index)
        guard let bytes = chunks[name] else { throw Refusal(status: .notFound) }
        guard !isDamaged(name) else { throw Refusal(status: .abstained) }
        var reply = GetChunkReply(size: UInt32(bytes.readableBytes))
        if request.withOwner, let owner = chunkOwners[name] {
            reply.owner = owner.register.map { Wire.RegisterName($0) }
            reply.writtenMilliseconds = owner.writtenMilliseconds
        }
        if request.probe { return (reply.encoded(), []) }
        if request.inPlace, let (place, checksum) = chunkPlaces[name] {
            (reply.place, reply.crc32c) = (place, checksum)
            reply.ahead = (name.index + 1..<name.index + 1 + request.ahead).compactMap { index in
                chunkPlaces[ChunkName(blob: blob, index: index)].map {
                    ChunkPlace(index: index, crc32c: $0.checksum, place: $0.place)
                }
            }
            return (reply.encoded(), [])
        }
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
