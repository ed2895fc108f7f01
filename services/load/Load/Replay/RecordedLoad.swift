import Model
import Wire

/// What clients asked of a cluster, found out from what a tap heard of its bus: the messages of one request carry the same
/// id, and together they tell what it was.
struct RecordedLoad: Sendable, Equatable {
    /// A request of a client.
    struct Request: Sendable, Equatable {
        var operation: PlannedOperation
        /// In nanoseconds after the first of all.
        var due: Int64
    }

    /// In the order of their begins.
    private(set) var requests: [Request] = []
    /// Requests of clients that are not replayed: about uploads, versions, and whatever changed nothing that is known here.
    private(set) var leftOut = 0
    /// Messages that no request of a client caused: repair, hints, heartbeats.
    private(set) var background = 0
    /// The sizes that answers showed of objects, by key; for those that are read before they are put.
    private(set) var sizes: [String: Int] = [:]

    /// - Parameter prefix: What all keys of the replay begin with.
    init(_ records: some Sequence<TapRecord>, prefix: String) {
        var groups: [GroupName: MessageGroup] = [:]
        for record in records where record.direction != .tapPublication {
            guard !record.requestId.isEmpty else {
                background += 1
                continue
            }
            groups[GroupName(process: record.process, request: record.requestId), default: MessageGroup()].add(record)
        }
        let sorted = groups.values.sorted { $0.begin < $1.begin }
        let begin = sorted.first?.begin ?? 0
        for group in sorted {
            guard let operation = group.operation(prefix: prefix) else {
                leftOut += 1
                continue
            }
            requests.append(Request(operation: operation, due: (group.begin - begin) * 1000))
            if operation.operation == .get { sizes[operation.key] = max(sizes[operation.key] ?? 0, group.contentBytes) }
        }
    }

    /// - Parameter speed: 2: twice as fast as it was; nil: one after the other, as fast as the clients can.
    func script(speed: Double?) -> LoadScript {
        LoadScript(
            operations: requests.map(\.operation),
            due: speed.map { speed in requests.map { Int64(Double($0.due) / speed) } })
    }

    /// Puts of what the replay reads before it puts it. Of sizes that nobody saw, this is the default.
    func preparation(size: Int) -> LoadScript {
        var seen: Set<String> = []
        var operations: [PlannedOperation] = []
        for request in requests where request.operation.operation != .list {
            let key = request.operation.key
            guard seen.insert(key).inserted, [.get, .head, .delete].contains(request.operation.operation) else {
                continue
            }
            operations.append(PlannedOperation(operation: .put, key: key, size: sizes[key] ?? size))
        }
        return LoadScript(operations: operations)
    }
}

/// Ids are unique for one gateway.
private struct GroupName: Hashable {
    var process: String
    var request: String
}

/// The messages of one request.
private struct MessageGroup {
    private(set) var begin = Int64.max
    private var commits: [TapRecord] = []
    private var reads: [TapRecord] = []
    private var list: TapRecord?
    /// By the names of the chunks: each goes to several replicas, or is asked of several.
    private var chunksPut: [[UInt8]: Int] = [:]
    private var chunksRead: [[UInt8]: Int] = [:]
    private var staged = 0
    private var read = 0

    mutating func add(_ record: TapRecord) {
        let bytes = Int(clamping: record.payloadBytes)
        guard record.direction == .tapRequest else {
            if record.type == .read { read = max(read, bytes) }
            if record.type == .getChunk { chunksRead[record.key] = max(chunksRead[record.key] ?? 0, bytes) }
            return
        }
        begin = min(begin, record.timeMicroseconds)
        switch record.type {
        case .commit:
            commits.append(record)
            staged = max(staged, bytes)
        case .stage: staged = max(staged, bytes)
        case .putChunk: chunksPut[record.key] = bytes
        case .getChunk: chunksRead[record.key] = max(chunksRead[record.key] ?? 0, 0)
        case .read: reads.append(record)
        case .list: list = list ?? record
        default: break
        }
    }

    var contentBytes: Int { chunksRead.isEmpty ? read : chunksRead.values.reduce(0, +) }

    /// nil: nothing that can be replayed.
    func operation(prefix: String) -> PlannedOperation? {
        if let commit = commits.first(where: { $0.keyspace == Keyspace.objects.rawValue }) {
            let key = Self.key(commit, prefix)
            // Of several commits in a request the first decides what kind it is: a delete of many keys is one request.
            guard !commit.deletes else { return PlannedOperation(operation: .delete, key: key) }
            return PlannedOperation(operation: .put, key: key, size: size)
        }
        if let part = commits.first(where: { $0.keyspace == Keyspace.parts.rawValue && !$0.deletes }), size > 0 {
            return PlannedOperation(operation: .put, key: Self.key(part, prefix), size: size)
        }
        guard commits.isEmpty else { return nil }
        if let list, list.keyspace == Keyspace.objects.rawValue {
            return PlannedOperation(operation: .list, key: Self.key(list, prefix))
        }
        guard let read = reads.first(where: { $0.keyspace == Keyspace.objects.rawValue }) else { return nil }
        let readsContent = reads.contains(where: \.wantsContent) || !chunksRead.isEmpty
        return PlannedOperation(operation: readsContent ? .get : .head, key: Self.key(read, prefix))
    }

    private var size: Int { chunksPut.isEmpty ? staged : chunksPut.values.reduce(0, +) }

    /// Buckets stay apart, and what is no text becomes hex digits.
    private static func key(_ record: TapRecord, _ prefix: String) -> String {
        let text = String(validating: record.key, as: UTF8.self).flatMap { text in
            text.unicodeScalars.contains { $0.value < 0x20 } ? nil : text
        }
        let key = "\(prefix)\(record.bucket.prefix(8))/\(text ?? hexDigits(of: record.key))"
        return key.utf8.count <= Limits.keySizeMax
            ? key : String(decoding: key.utf8.prefix(Limits.keySizeMax), as: UTF8.self)
    }
}
