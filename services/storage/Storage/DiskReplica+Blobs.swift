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
            switch try index.entry(key) {
            case .dropped: throw StorageError.notFound("chunk \(name.index) of \(name.blob) was dropped")
            case .stored(let location) where !isDamaged(key, location): return { _ in completion(.success(true)) }
            case .stored, nil: break
            }
            let entry = LogEntry.chunk(
                name, owner: owner,
                writtenMilliseconds: writtenMilliseconds != 0 ? writtenMilliseconds : Self.wallMilliseconds,
                content.bytes, checksum: content.checksum)
            try appending(
                room: entry.recordSize + 1024, if: { try checkOwner(SlotSet.slot(ofKey: name.ringKey), $0) }
            ) { state in
                let answer: Held = { error in completion(error.map { .failure($0) } ?? .success(false)) }
                try appendContent(key, content, entry, urgency: .now, answer: answer, &state)
            }
            return nil
        }
    }

    /// `length` 0: to the end. `withOrigin`: reads the record even when only its presence is asked for.
    func chunk(
        _ name: ChunkName, offset: Int, length: Int, probe: Bool, withOrigin: Bool = false, inPlace: Bool = false
    ) throws -> ChunkAnswer {
        let key = BlobKey(name)
        guard let location = try noting({ try index.blob(key) }) else {
            if index.hasDoubt, index.doubt(ofSlot: SlotSet.slot(ofKey: name.ringKey)) != 0 {
                throw StorageError.abstained("this disk has lost records")
            }
            throw StorageError.notFound("no chunk \(name.index) of \(name.blob)")
        }
        guard !isDamaged(key, location) else { throw StorageError.abstained("the chunk is damaged") }
        let size = Int(location.size)
        guard offset <= size, length <= size - offset else {
            throw StorageError.malformed("beyond the end of the chunk")
        }
        var answer = ChunkAnswer(size: size)
        if probe, !withOrigin { return answer }
        if inPlace, !probe, !withOrigin, let place = place(of: key, at: location) {
            answer.place = place
            return answer
        }
        let record = try record(key, at: location)
        if withOrigin, case .chunk(_, let owner, let time) = RecordHead(type: record.type, head: record.head) {
            answer.origin = ChunkOrigin(owner: owner, writtenMilliseconds: time)
        }
        if !probe { answer.content = Self.part(of: record, offset, length == 0 ? size - offset : length) }
        return answer
    }

    private static func part(of record: LogRecord, _ offset: Int, _ count: Int) -> CheckedBytes {
        let whole = record.payload
        guard offset != 0 || count != whole.readableBytes else {
            return CheckedBytes(bytes: whole, checksum: record.payloadChecksum)
        }
        let part = whole.getSlice(at: whole.readerIndex + offset, length: count) ?? ByteBuffer()
        return CheckedBytes(bytes: part, checksum: crc32c(part))
    }

    /// nil: it is not here, or known to be damaged. `owner`: the register beside which it stands.
    func content(of key: BlobKey, owner: RegisterName? = nil) throws -> CheckedBytes? {
        guard let location = try noting({ try index.blob(key) }), !isDamaged(key, location) else { return nil }
        let record = try record(key, at: location, owner: owner)
        return CheckedBytes(bytes: record.payload, checksum: record.payloadChecksum)
    }

    func isMissingOrDamaged(_ key: BlobKey) -> Bool {
        guard let location = try? index.blob(key) else { return true }
        return isDamaged(key, location)
    }

    func isDamaged(_ key: BlobKey, _ location: BlobLocation) -> Bool {
        location.isDamaged || damage.contains(.content(key, at: location.position), disk: path)
    }

    private func record(
        _ key: BlobKey, at location: BlobLocation, owner: RegisterName? = nil
    ) throws -> LogRecord {
        do {
            return try read(key, at: location)
        } catch {
            // Compaction may have moved it, and removed the segment.
            if let moved = try index.blob(key), moved.position != location.position {
                return try record(key, at: moved, owner: owner)
            }
            metrics.checksumErrors.increment()
            logger.error("content cannot be read", metadata: ["disk": "\(path)", "error": "\(error)"])
            suspect(.content(key, at: location.position, owner: owner), error)
            throw StorageError.abstained("\(error)")
        }
    }

    static let otherRecord = "another record stands there"

    /// `patiently`: see ``ObjectLog/readPatiently(at:size:)``.
    func read(_ key: BlobKey, at location: BlobLocation, patiently: Bool = false) throws(ObjectLogError) -> LogRecord {
        let (position, size) = (LogPosition(rawValue: location.position), Int(location.recordSize))
        let record = try patiently ? log.readPatiently(at: position, size: size) : log.read(at: position, size: size)
        guard Self.isContent(record, of: key) else { throw .damaged(position, Self.otherRecord) }
        return record
    }

    static func isContent(_ record: LogRecord, of key: BlobKey) -> Bool {
        let type = key.index == nil ? LogRecordType.blob : .chunk
        return record.type == type.rawValue && record.head.starts(with: key.bytes)
    }
}
