import Model
import Wire

/// Content in chunks to which a register no longer refers, as this disk sees it. Whoever drops the chunks first makes sure
/// that the decided state does not refer to them.
public struct BlobRelease: Sendable, Equatable {
    public struct Blob: Sendable, Equatable {
        public var id: BlobID
        /// Bytes of the whole.
        public var size: UInt64
        public var chunkSize: UInt32
    }

    /// Sorts by age.
    public var id: [UInt8]
    /// The register that referred to them.
    public var name: Model.RegisterName
    /// Of a part: the key of its object.
    public var objectKey: [UInt8]
    public var blobs: [Blob]

    /// Wall clock when it was noted.
    public var notedMilliseconds: Int64 {
        Int64(bitPattern: id.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    /// What the old state of a register refers to and the new one does not. nil: nothing in chunks.
    init?(
        of name: Model.RegisterName, old: RegisterValue, new: RegisterValue, position: UInt64, milliseconds: Int64
    ) {
        guard let (blobs, objectKey) = Self.chunked(name, old), !blobs.isEmpty else { return nil }
        let kept = Self.kept(name, new)
        let released = blobs.filter { !kept.contains($0.id) }
        guard !released.isEmpty else { return nil }
        var id: [UInt8] = []
        id.appendBigEndian(max(0, milliseconds))
        id.appendBigEndian(position)
        self.init(id: id, name: name, objectKey: objectKey, blobs: released)
    }

    private init(id: [UInt8], name: Model.RegisterName, objectKey: [UInt8], blobs: [Blob]) {
        self.id = id
        self.name = name
        self.objectKey = objectKey
        self.blobs = blobs
    }

    /// A state with content beside its register has none in chunks: its record need not be looked at.
    private static func chunked(
        _ name: Model.RegisterName, _ value: RegisterValue
    ) -> (blobs: [Blob], objectKey: [UInt8])? {
        guard value.isLive, value.blobs.isEmpty, let record = value.record, !record.isEmpty else { return nil }
        return record.withUnsafeBytes { bytes in
            switch name.keyspace {
            case .objects, .versions:
                (try? ObjectRecord(decoding: bytes)).map { ($0.blobs.compactMap(Blob.init), []) }
            case .parts:
                (try? PartRecord(decoding: bytes)).map {
                    ([$0.blob].compactMap(\.self).compactMap(Blob.init), $0.objectKey)
                }
            case .uploads: nil
            }
        }
    }

    /// What the new state refers to, whether it is live or not: a delete marker may have versions that are to be archived.
    /// They count here and not in an old state: a version that was archived has let go of nothing.
    private static func kept(_ name: Model.RegisterName, _ value: RegisterValue) -> Set<BlobID> {
        guard name.keyspace == .objects, let record = value.record, !record.isEmpty else {
            return Set(chunked(name, value)?.blobs.map(\.id) ?? [])
        }
        guard let object = try? record.withUnsafeBytes({ try ObjectRecord(decoding: $0) }) else { return [] }
        let pending = object.pending.compactMap { try? ObjectRecord(decoding: $0.record) }
        return Set((object.blobs + pending.flatMap(\.blobs)).compactMap { Blob($0)?.id })
    }

    func encoded() -> [UInt8] {
        let key = name.indexKey
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + key.count + objectKey.count + 28 * blobs.count)
        bytes.appendNumber(UInt16(clamping: key.count))
        bytes.append(contentsOf: key)
        bytes.appendNumber(UInt16(clamping: objectKey.count))
        bytes.append(contentsOf: objectKey)
        for blob in blobs {
            bytes.appendIdentifier(blob.id)
            bytes.appendNumber(blob.size)
            bytes.appendNumber(blob.chunkSize)
        }
        return bytes
    }

    init?(id: [UInt8], decoding bytes: UnsafeRawBufferPointer) {
        var reader = ByteReader(bytes)
        guard let nameSize: UInt16 = reader.number(), let key = reader.bytes(Int(nameSize)),
            let name = Model.RegisterName(indexKey: key), let objectKeySize: UInt16 = reader.number(),
            let objectKey = reader.bytes(Int(objectKeySize))
        else { return nil }
        var blobs: [Blob] = []
        while let id: BlobID = reader.identifier() {
            guard let size: UInt64 = reader.number(), let chunkSize: UInt32 = reader.number() else { return nil }
            blobs.append(Blob(id: id, size: size, chunkSize: chunkSize))
        }
        self.init(id: id, name: name, objectKey: objectKey, blobs: blobs)
    }
}

extension BlobRelease.Blob {
    /// nil: it stands beside its register.
    fileprivate init?(_ reference: BlobReference) {
        guard reference.chunkSize != 0, let id = BlobID(reference.id) else { return nil }
        self.init(id: id, size: reference.size, chunkSize: reference.chunkSize)
    }
}

extension MetadataIndex {
    /// Those with larger ids than `after`, in order. `notedBefore`: only those noted before this time, in milliseconds.
    public func releases(
        after: [UInt8] = [], limit: Int, notedBefore: Int64 = .max
    ) throws -> [BlobRelease] {
        var releases: [BlobRelease] = []
        let start = after.isEmpty ? [IndexKeys.releases] : [IndexKeys.releases] + after + [0]
        try database.scan(from: start, below: [IndexKeys.releases + 1]) { step in
            guard releases.count < limit else { return .stop }
            guard let release = BlobRelease(id: Array(step.key.dropFirst()), decoding: step.value) else {
                throw IndexError.corruption("unreadable entry of released content")
            }
            guard release.notedMilliseconds < notedBefore else { return .stop }
            releases.append(release)
            return .next
        }
        return releases
    }
}
