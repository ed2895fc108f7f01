import Model
import Register
import Wire

/// Takes back the room of content that objects no longer have.
///
/// A blob belongs to one upload, so few registers can refer to it: that of the object, that of an archived version of the
/// object, and while an upload lasts that of the part. Whether one does is decided by a round in which every replica takes part, not by a read: a replica says
/// that its register has let go of a blob as soon as it accepts the new state, and that state may still lose.
public struct ChunkReclaiming: Sendable {
    public struct Outcome: Sendable, Equatable {
        /// Chunks that were there, over all replicas.
        public var dropped = 0
        /// Blobs that a decided state still refers to: they stay.
        public var kept = 0
        /// Replicas that may still have some: try again later.
        public var missed: Set<NodeName> = []

        /// Nothing is left to be done.
        public var isSettled: Bool { missed.isEmpty }
    }

    private let registers: RegisterClient
    private let chunks: ChunkClient

    public init(_ registers: RegisterClient) {
        self.registers = registers
        chunks = ChunkClient(registers)
    }

    /// Drops those of the blobs that nothing refers to. Whoever calls makes sure that nobody is about to: reads and
    /// completions of uploads that began before the release must be over.
    /// - Parameters:
    ///   - name: the register that once referred to the blobs.
    ///   - objectKey: of a part: the key of its object; empty otherwise.
    /// - Throws: when not all replicas of the registers can be asked; nothing was dropped then.
    public func reclaim(
        _ blobs: [BlobReference], releasedBy name: Model.RegisterName, objectKey: [UInt8] = []
    ) async throws(AccessError) -> Outcome {
        var inUse: Set<BlobID>
        switch name.keyspace {
        case .objects: inUse = try await references(ofObject: name)
        case .versions:
            // First the object's register: what leaves it has been archived before.
            guard let key = VersionName.parse(registerKey: name.key)?.key else { return Outcome(kept: blobs.count) }
            inUse = try await references(ofObject: .init(bucket: name.bucket, key: key), withArchived: false)
            inUse.formUnion(try await references(of: name))
        case .parts, .uploads:
            inUse = try await references(of: name)
            if name.keyspace == .parts, !objectKey.isEmpty {
                inUse.formUnion(try await references(ofObject: .init(bucket: name.bucket, key: objectKey)))
            }
        }
        var outcome = Outcome()
        for reference in blobs where reference.chunkCount > 0 {
            guard let blob = BlobID(reference.id) else { continue }
            guard !inUse.contains(blob) else {
                outcome.kept += 1
                continue
            }
            let drop = try await chunks.drop(blob, chunks: 0..<reference.chunkCount)
            outcome.dropped += drop.dropped
            outcome.missed.formUnion(drop.missed)
        }
        return outcome
    }

    /// Whether content that was written for this owner has a register that refers to it, or may get one yet.
    ///
    /// The owner of a part's chunks is the register of its upload. While that is there the upload goes on, however long
    /// it takes: only its owner may end it. Once it is gone the object's register tells: a completion writes there before it
    /// ends the upload, so whoever has seen the upload ended sees the object. That is why the upload is asked first.
    ///
    /// Where nothing refers to the blob, this is decided by a round in which every replica takes part, so that no commit
    /// that was under way can succeed any more: its writer must ask again whether it is still in time.
    public func isReferenced(
        _ blob: BlobID, by owner: Model.RegisterName
    ) async throws(AccessError) -> Bool {
        switch owner.keyspace {
        case .objects: return try await refers(owner, to: blob)
        case .uploads:
            if try await registers.agree(on: owner)?.isLive == true { return true }
            guard let key = Self.objectKey(ofUpload: owner.key) else { return true }
            return try await refers(.init(bucket: owner.bucket, key: key), to: blob)
        // Nobody owns chunks like that.
        case .parts, .versions: return true
        }
    }

    private func refers(_ name: Model.RegisterName, to blob: BlobID) async throws(AccessError) -> Bool {
        // Most content is referred to, and a plain read says so.
        if let record = try await registers.read(name).liveRecord,
            let object = try? ObjectRecord(decoding: record.bytes),
            object.blobs.contains(where: { $0.id == blob.bytes })
        {
            return true
        }
        return try await references(ofObject: name).contains(blob)
    }

    /// The blobs that any version of an object refers to. The register of the object is asked first: a version that
    /// leaves it has been archived before, and an archived one stays in the archive until it is deleted.
    private func references(
        ofObject name: Model.RegisterName, withArchived: Bool = true
    ) async throws(AccessError) -> Set<BlobID> {
        var blobs: [BlobReference] = []
        do {
            let versions = try KeyVersions(try await registers.agree(on: name))
            blobs = versions.current?.blobs ?? []
            for entry in versions.pending where !entry.record.isEmpty {
                blobs += try ObjectRecord(bytes: entry.record).blobs
            }
            if withArchived, versions.hasArchived { blobs += try await archivedBlobs(of: name) }
        } catch let error as AccessError {
            throw error
        } catch {
            throw .damaged("the record of a register is not understood: \(error)")
        }
        return Set(blobs.compactMap { BlobID($0.id) })
    }

    private func archivedBlobs(of name: Model.RegisterName) async throws -> [BlobReference] {
        let lister = Lister(registers)
        var query = ListQuery(
            bucket: name.bucket, keyspace: .versions, prefix: VersionName.keyPrefix(of: name.key), limit: 100,
            withRecords: true)
        var blobs: [BlobReference] = []
        while true {
            let page = try await lister.list(query)
            for case .key(_, _, let bytes?) in page.entries { blobs += try ObjectRecord(bytes: bytes).blobs }
            guard page.truncated, let next = page.next else { return blobs }
            query.after = next
        }
    }

    /// An upload's register has the key of its object, a zero byte and the id of the upload (16 bytes).
    static func objectKey(ofUpload key: [UInt8]) -> [UInt8]? {
        guard key.count > 17, key[key.count - 17] == 0 else { return nil }
        return Array(key.dropLast(17))
    }

    /// The blobs that the decided state of a register refers to.
    private func references(of name: Model.RegisterName) async throws(AccessError) -> Set<BlobID> {
        let state = try await registers.agree(on: name)
        guard let state, state.isLive, let record = state.record else { return [] }
        do {
            switch name.keyspace {
            case .objects, .versions:
                return Set(try ObjectRecord(decoding: record.bytes).blobs.compactMap { BlobID($0.id) })
            case .parts:
                return Set([try PartRecord(decoding: record.bytes).blob].compactMap { $0.flatMap { BlobID($0.id) } })
            case .uploads: return []
            }
        } catch {
            throw .damaged("the record of a register is not understood: \(error)")
        }
    }
}

extension BlobReference {
    /// 0 for content that is stored beside its register.
    public var chunkCount: UInt32 {
        guard chunkSize > 0 else { return 0 }
        return UInt32(clamping: size / UInt64(chunkSize) + (size % UInt64(chunkSize) == 0 ? 0 : 1))
    }
}
