import MessageBus
import MetadataIndex
import Model
import NIOCore
import Wire

/// Chunks, and what registers have released of them.
extension RequestDispatcher {
    func putChunk(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(PutChunkRequest.self)
        let content = CheckedBytes(bytes: try singlePayload(request), checksum: message.crc32c)
        let owner = try message.owner.map { try self.name($0) }
        guard message.writtenMilliseconds >= 0 else { throw BusError(.malformed, "a time before 1970") }
        let origin = ChunkOrigin(owner: owner, writtenMilliseconds: message.writtenMilliseconds)
        let name = try chunk(message.blob, message.index)
        let responder = try gate.admit(request, responder) { $0.partition(of: name) }
        engine.putChunk(name, content, origin: origin) { result in
            responder.answer(result) { responder.reply(PutChunkReply(existed: $0)) }
        }
    }

    /// Says whether it has served the request: with `atOnce` only if memory knows where the chunk stands, and that is enough.
    func getChunk(_ request: IncomingRequest, _ responder: Responder, atOnce: Bool) throws -> Bool {
        let message = try request.decoded(GetChunkRequest.self)
        let name = try chunk(message.blob, message.index)
        if atOnce {
            guard message.inPlace, !message.probe, !message.withOwner, let place = engine.cachedPlace(of: name)
            else { return false }
            responder.reply(
                GetChunkReply(
                    size: place.size, crc32c: place.checksum, place: LogPlace(place),
                    ahead: places(behind: name, message.ahead)))
            return true
        }
        let answer = try engine.chunk(
            name, offset: Int(message.offset), length: Int(message.length), probe: message.probe,
            withOrigin: message.withOwner, inPlace: message.inPlace)
        let reply = GetChunkReply(
            size: UInt32(clamping: answer.size), crc32c: answer.content?.checksum ?? answer.place?.checksum ?? 0,
            owner: answer.origin?.owner.map { Wire.RegisterName($0) },
            writtenMilliseconds: answer.origin?.writtenMilliseconds ?? 0, place: answer.place.map { LogPlace($0) },
            ahead: answer.place == nil ? [] : places(behind: name, message.ahead))
        responder.reply(reply, payload: answer.content.map { [$0.bytes] } ?? [])
        return true
    }

    /// Of the chunks behind one, as many as memory knows of.
    private func places(behind name: ChunkName, _ count: UInt32) -> [ChunkPlace] {
        let (end, isBeyond) = name.index.addingReportingOverflow(min(count, Limits.placesAheadMax))
        guard count > 0, !isBeyond else { return [] }
        return (name.index + 1...end).compactMap { index in
            engine.cachedPlace(of: ChunkName(blob: name.blob, index: index)).map {
                ChunkPlace(index: index, crc32c: $0.checksum, place: LogPlace($0))
            }
        }
    }

    func dropChunks(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(DropChunksRequest.self)
        guard let blob = BlobID(message.blob), message.count <= UInt32.max - message.first else {
            throw BusError(.malformed, "no blob id, or chunks beyond the last")
        }
        let responder = try gate.admit(request, responder)
        engine.dropChunks(blob, message.first..<message.first + message.count) { result in
            responder.answer(result) { responder.reply(DropChunksReply(dropped: UInt32(clamping: $0))) }
        }
    }

    // MARK: - Releases

    private static let releasesMax = 1000

    func fetchReleases(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(FetchReleasesRequest.self)
        let limit = min(max(1, Int(message.limit)), Self.releasesMax)
        let found = try engine.releases(
            after: message.after, limit: limit, ageMilliseconds: max(0, message.ageMilliseconds))
        let releases = found.map { item in
            Release(
                id: item.id, name: Wire.RegisterName(item.release.name), objectKey: item.release.objectKey,
                blobs: item.release.blobs.map {
                    BlobReference(id: $0.id.bytes, size: $0.size, chunkSize: $0.chunkSize)
                }, notedMilliseconds: item.release.notedMilliseconds)
        }
        responder.reply(FetchReleasesReply(releases: releases, total: engine.releaseCount))
    }

    func forgetReleases(_ request: IncomingRequest, _ responder: Responder) throws {
        let message = try request.decoded(ForgetReleasesRequest.self)
        guard message.ids.count <= 10_000 else { throw BusError(.tooLarge, "too many releases at once") }
        try engine.forgetReleases(message.ids)
        responder.reply(ForgetReleasesReply())
    }
}

extension LogPlace {
    init(_ place: ContentPlace) {
        self.init(
            directory: place.directory, disk: place.disk.bytes, position: place.position,
            recordSize: place.recordSize)
    }
}
