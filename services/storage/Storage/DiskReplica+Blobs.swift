import Checksums
import MetadataIndex
import Model
import NIOCore
import ObjectLog

/// Content: chunks and the blobs beside registers.
extension DiskReplica {
    /// Completes with whether the chunk was here already. `owner`: the register that is to refer to it.
    func putChunk(
        _ name: ChunkName, _ content: CheckedBytes, owner: RegisterName? = nil, writtenMilliseconds: Int64 = 0,
        _ completion: @escaping Completion<Bool>
    ) {
        let key = BlobKey(name)
        run(completion) {
            try verify(content)
            if try index.isDropped(key) {
                throw StorageError.notFound("chunk \(name.index) of \(name.blob) was dropped")
            }
            if !isMissingOrDamaged(key) { return { _ in completion(.success(true)) } }
            let entry = LogEntry.chunk(
                name, owner: owner,
                writtenMilliseconds: writtenMilliseconds != 0 ? writtenMilliseconds : Self.wallMilliseconds,
                content.bytes, checksum: content.checksum)
            let room = entry.recordSize + 1024
            while true {
                try log.waitForRoom(room)
                let isAppended = try state.withLock { state in
                    if let failure = state.failure { throw failure }
                    guard try log.hasRoom(room) else { return false }
                    let answer: Held = { error in completion(error.map { .failure($0) } ?? .success(false)) }
                    try appendContent(key, content, entry, urgency: .now, answer: answer, &state)
                    return true
                }
                if isAppended { return nil }
            }
        }
    }

    /// `length` 0: to the end.
    func chunk(_ name: ChunkName, offset: Int, length: Int, probe: Bool) throws -> ChunkAnswer {
        let key = BlobKey(name)
        guard let location = try index.blob(key) else {
            if index.doubt != 0 { throw StorageError.abstained("this disk has lost records") }
            throw StorageError.notFound("no chunk \(name.index) of \(name.blob)")
        }
        guard !isDamaged(key, location) else { throw StorageError.abstained("the chunk is damaged") }
        let size = Int(location.size)
        guard offset <= size, length <= size - offset else {
            throw StorageError.malformed("beyond the end of the chunk")
        }
        if probe { return ChunkAnswer(size: size) }
        let whole = try content(key, at: location)
        let count = length == 0 ? size - offset : length
        guard offset != 0 || count != size else { return ChunkAnswer(size: size, content: whole) }
        let part = whole.bytes.getSlice(at: whole.bytes.readerIndex + offset, length: count) ?? ByteBuffer()
        return ChunkAnswer(size: size, content: CheckedBytes(bytes: part, checksum: crc32c(part)))
    }

    /// nil: it is not here, or known to be damaged. `owner`: the register beside which it stands.
    func content(of key: BlobKey, owner: RegisterName? = nil) throws -> CheckedBytes? {
        guard let location = try index.blob(key), !isDamaged(key, location) else { return nil }
        return try content(key, at: location, owner: owner)
    }

    func isMissingOrDamaged(_ key: BlobKey) -> Bool {
        guard let location = try? index.blob(key) else { return true }
        return isDamaged(key, location)
    }

    private func isDamaged(_ key: BlobKey, _ location: BlobLocation) -> Bool {
        location.isDamaged || damage.contains(.content(key, at: location.position), disk: path)
    }

    private func content(
        _ key: BlobKey, at location: BlobLocation, owner: RegisterName? = nil
    ) throws -> CheckedBytes {
        do {
            return try record(of: key, at: location)
        } catch {
            // Compaction may have moved it, and removed the segment.
            if let moved = try index.blob(key), moved.position != location.position {
                return try content(key, at: moved, owner: owner)
            }
            metrics.checksumErrors.increment()
            logger.error("content cannot be read", metadata: ["disk": "\(path)", "error": "\(error)"])
            if error.meansDamage { noteDamage(.content(key, at: location.position, owner: owner)) }
            throw StorageError.abstained("\(error)")
        }
    }

    private func record(of key: BlobKey, at location: BlobLocation) throws(ObjectLogError) -> CheckedBytes {
        let position = LogPosition(rawValue: location.position)
        let record = try log.read(at: position, size: Int(location.recordSize))
        let type = key.index == nil ? LogRecordType.blob : .chunk
        guard record.type == type.rawValue, record.head.starts(with: key.bytes) else {
            throw .damaged(position, "another record stands there")
        }
        return CheckedBytes(bytes: record.payload, checksum: record.payloadChecksum)
    }
}
