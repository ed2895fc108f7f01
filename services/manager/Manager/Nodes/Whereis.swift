import ClusterState
import MessageBus
import Model
import Ring
import Wire

/// `whereis`: asks every replica of a key what it has.
struct Whereis: Sendable {
    static let timeout = Duration.seconds(3)

    let bus: any RequestSending
    let view: ClusterView

    func run(path: String) async throws -> WhereisReport {
        let name = try register(path)
        guard let ring = view.ring else { throw VerbError(.unavailable, "Storage cluster is not running, yet") }
        let nodes = ring.assignment(of: name).nodes
        let answers = await ask(nodes, name)
        var report = WhereisReport(path: path, partition: ring.partition(of: name), assignedInfo: [], failureNodes: [])
        for node in nodes {
            switch answers[node] {
            case .success(let reply):
                report.assignedInfo.append(Self.replica(node, reply.state, address: Self.address(name, ring)))
            case .failure(let error):
                report.failureNodes.append(.init(node: node.rawValue, cause: "\(error.description)"))
            case nil: report.failureNodes.append(.init(node: node.rawValue, cause: "not asked"))
            }
        }
        return report
    }

    private func register(_ path: String) throws -> Model.RegisterName {
        guard let slash = path.firstIndex(of: "/"), slash != path.startIndex, path.index(after: slash) != path.endIndex
        else { throw VerbError(.invalidArgument, "The path is BUCKET/KEY") }
        guard let bucket = view.buckets[String(path[..<slash])]?.bucketID else {
            throw VerbError(.notFound, "Bucket not found")
        }
        return Model.RegisterName(bucket: bucket, key: Array(path[path.index(after: slash)...].utf8))
    }

    private func ask(_ nodes: [NodeName], _ name: Model.RegisterName) async -> [NodeName: Result<ReadReply, BusError>] {
        let request = ReadRequest(
            name: Wire.RegisterName(bucket: name.bucket.bytes, keyspace: UInt32(name.keyspace.rawValue), key: name.key))
        return await withTaskGroup(of: (NodeName, Result<ReadReply, BusError>).self) { group in
            for node in nodes {
                group.addTask {
                    do throws(BusError) {
                        let reply = try await bus.request(
                            .read, request, to: node, timeout: Self.timeout, answer: ReadReply.self)
                        return (node, .success(reply.message))
                    } catch { return (node, .failure(error)) }
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    /// The row of one replica; a replica that has nothing is a blank row.
    static func replica(_ node: NodeName, _ state: StoredState?, address: String) -> WhereisReport.Replica {
        guard let state, let tag = state.tag, state.sequence > 0 else {
            return WhereisReport.Replica(node: node.rawValue, present: false)
        }
        var row = WhereisReport.Replica(node: node.rawValue, present: true)
        row.del = state.deleted
        row.ringAddress = address
        row.clock = "\(String(tag.counter, radix: 16)).\(String(tag.writer, radix: 16))"
        guard let object = try? ObjectRecord(decoding: state.record) else { return row }
        row.size = object.size
        row.checksum = String(object.etag.prefix(10))
        row.totalChunks = object.blobs.reduce(0) { $0 + chunks($1) }
        row.hasChildren = object.blobs.contains { $0.chunkSize > 0 }
        row.when = timeText(milliseconds: object.modifiedMilliseconds)
        return row
    }

    private static func chunks(_ blob: BlobReference) -> Int {
        guard blob.chunkSize > 0, blob.size > 0 else { return 0 }
        return Int(clamping: (blob.size - 1) / UInt64(blob.chunkSize) + 1)
    }

    /// The key's position on the ring of 2^128: 32 hex digits.
    static func address(_ name: Model.RegisterName, _ ring: RingTable) -> String {
        guard let hash = PositionHash(key: ring.hashKey)?.hash(name.indexKey) else { return "" }
        var bytes: [UInt8] = []
        for half in [hash.first, hash.second] {
            withUnsafeBytes(of: half.littleEndian) { bytes += $0 }
        }
        return hexDigits(of: bytes)
    }
}
