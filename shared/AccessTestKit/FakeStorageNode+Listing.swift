import Model
import ObjectAccess
import Register
import Ring
import Wire

extension FakeStorageNode {
    mutating func list(_ request: ListRequest) throws -> Reply {
        guard let bucket = BucketID(request.bucket), let keyspace = Keyspace(rawValue: UInt8(request.keyspace)) else {
            throw Refusal(status: .malformed)
        }
        let names = registers.keys.filter {
            $0.bucket == bucket && $0.keyspace == keyspace && $0.key.starts(with: request.prefix)
                && Self.follows($0.key, request)
        }
        var reply = ListReply()
        var lookedAt = 0
        for name in request.backwards ? names.sorted(by: >) : names.sorted() {
            let entry = entry(name, request)
            if let entry, entry.commonPrefix, reply.entries.last?.key == entry.key { continue }
            lookedAt += 1
            if let entry, reply.entries.count < Int(request.limit) {
                reply.entries.append(entry)
                guard lookedAt >= listingLookedAtMax else { continue }
            } else if entry == nil, lookedAt < listingLookedAtMax {
                continue
            }
            reply.truncated = true
            let last = entry == nil ? nil : reply.entries.last
            reply.end = last?.key ?? name.key
            reply.endIsPrefix = last?.commonPrefix ?? false
            break
        }
        return (reply.encoded(), [])
    }

    private static func follows(_ key: [UInt8], _ request: ListRequest) -> Bool {
        let direction: ListDirection = request.backwards ? .backward : .forward
        guard request.until.isEmpty || direction.precedes(key, request.until) else { return false }
        return request.after.isEmpty
            || !ListPosition(key: request.after, isPrefix: request.afterIsPrefix).covers(key, direction)
    }

    /// nil: not to be listed.
    private func entry(_ name: Model.RegisterName, _ request: ListRequest) -> ListEntry? {
        guard let state = registers[name], let record = state.record else { return nil }
        let tag = BallotNumber(state.tag)
        if let prefix = Self.commonPrefix(of: name.key, request) {
            return record.deleted ? nil : ListEntry(key: prefix, commonPrefix: true, witness: name.key, tag: tag)
        }
        if request.liveOnly, record.deleted { return nil }
        return ListEntry(
            key: name.key, tag: tag, deleted: record.deleted, summary: record.summary,
            record: request.withRecords ? record.bytes : [])
    }

    private static func commonPrefix(of key: [UInt8], _ request: ListRequest) -> [UInt8]? {
        guard !request.delimiter.isEmpty else { return nil }
        var start = request.prefix.count
        while start + request.delimiter.count <= key.count {
            if key[start...].starts(with: request.delimiter) {
                return Array(key[..<(start + request.delimiter.count)])
            }
            start += 1
        }
        return nil
    }

    // MARK: - Comparison

    func digest(_ request: DigestPartitionsRequest, _ ring: RingTable) throws -> Reply {
        if isInDoubt { throw Refusal(status: .abstained) }
        var digests: [Int: PartitionDigest] = [:]
        for (name, state) in registers {
            let partition = ring.partition(of: name)
            var digest = digests[partition] ?? PartitionDigest(partition: UInt32(partition))
            digest.digest ^= Self.hash(name.indexKey + Array("\(state.tag)".utf8))
            digest.registers += 1
            digests[partition] = digest
        }
        for name in chunks.keys {
            let partition = ring.partition(of: name)
            var digest = digests[partition] ?? PartitionDigest(partition: UInt32(partition))
            digest.chunkDigest ^= Self.hash(name.ringKey)
            digest.chunks += 1
            digests[partition] = digest
        }
        let wanted = request.partitions.map(Int.init)
        let all = wanted.isEmpty ? digests.values.map(\.self) : wanted.compactMap { digests[$0] }
        return (DigestPartitionsReply(digests: all).encoded(), [])
    }

    /// Pages in the order of names, as the index has them.
    func listPartition(_ request: ListPartitionRequest, _ ring: RingTable) throws -> Reply {
        let partitions = Set(([request.partition] + request.partitions).map(Int.init))
        let keys: [(order: [UInt8], entry: PartitionEntry)] =
            request.chunks
            ? chunks.keys.filter { partitions.contains(ring.partition(of: $0)) }.map {
                ($0.ringKey, PartitionEntry(blob: $0.blob.bytes, index: $0.index))
            }
            : registers.filter { partitions.contains(ring.partition(of: $0.key)) }.map {
                (
                    $0.key.indexKey,
                    PartitionEntry(
                        name: Wire.RegisterName($0.key), tag: BallotNumber($0.value.tag),
                        doubtful: isDoubtful($0.key))
                )
            }
        let page = keys.sorted { $0.order.lexicographicallyPrecedes($1.order) }
            .drop { !request.after.isEmpty && !request.after.lexicographicallyPrecedes($0.order) }
        let shown = page.prefix(Int(request.limit))
        let cursor = shown.count < page.count ? shown.last?.order ?? [] : []
        return (ListPartitionReply(entries: shown.map(\.entry), cursor: cursor).encoded(), [])
    }

    private static func hash(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
