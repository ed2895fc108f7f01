import MessageBus
import Model
import ObjectAccess

/// One walk over all keys of a disk that has lost its memory and of the replicas that remember: what it lacks, or may have
/// in an older state, is decided anew and taught.
final class MemoryWalk: Sendable {
    typealias Note = @Sendable ((inout MemoryRecoveryStatus.Disk) -> Void) -> Void

    struct Result {
        /// Keys that were doubtful when the walk came to them.
        var doubtful = 0
        /// The first failure; the walk ends there.
        var error: (any Error)?
    }

    private static let batchMax = 16

    private let reader: PartitionReader
    private let registers: RegisterClient
    private let concurrency: Int
    private let metrics: MemoryMetrics

    init(
        reader: PartitionReader, registers: RegisterClient, concurrency: Int, metrics: MemoryMetrics
    ) {
        self.reader = reader
        self.registers = registers
        self.concurrency = concurrency
        self.metrics = metrics
    }

    /// What a walk goes through: registers and chunks of the replicas that remember.
    func keys(of groups: [RepairGroup]) async -> UInt64 {
        var keys: UInt64 = 0
        for group in groups {
            var most: UInt64 = 0
            for node in group.replicas.dropLast() {
                let digests = await reader.digests(of: node, partitions: group.partitions) ?? [:]
                most = max(most, digests.values.reduce(0) { $0 &+ $1.registers &+ $1.chunks })
            }
            keys &+= most
        }
        return keys
    }

    /// - Parameters:
    ///   - groups: the target is the last replica of each.
    ///   - bound: states must be decided above this counter.
    func run(
        _ groups: [RepairGroup], teaching target: NodeName, above bound: UInt64, _ handle: TaskHandle, _ note: Note
    ) async -> Result {
        let reader = self.reader
        let healing = ReplicaHealing(registers, observer: handle)
        var result = Result()
        for group in groups where result.error == nil {
            await walk(
                group, &result, handle, note,
                page: { (node, cursor) async throws(BusError) in
                    try await reader.registers(group.partitions, at: node, after: cursor)
                },
                teach: { (name) async throws(AccessError) in
                    try await healing.restore(name, to: target, above: bound)
                    return true
                },
                count: { $0.registersTaught += $1 }, metrics.registers.increment(by:))
            guard result.error == nil else { break }
            await walk(
                group, &result, handle, note,
                page: { (node, cursor) async throws(BusError) in
                    try await reader.chunks(group.partitions, at: node, after: cursor)
                },
                teach: { (chunk) async throws(AccessError) in
                    do throws(AccessError) { return try await healing.copy(chunk, to: target) } catch {
                        if case .absent = error { return false }
                        throw error
                    }
                },
                count: { $0.chunksTaught += $1 }, metrics.chunks.increment(by:))
        }
        return result
    }

    private func walk<Key: Comparable & Sendable>(
        _ group: RepairGroup, _ result: inout Result, _ handle: TaskHandle, _ note: Note,
        page: (NodeName, [UInt8]) async throws(BusError) -> Page<Key>,
        teach: @escaping @Sendable (Key) async throws(AccessError) -> Bool,
        count: @escaping @Sendable (inout MemoryRecoveryStatus.Disk, Int) -> Void, _ increment: (Int) -> Void
    ) async {
        var merge = PartitionMerge<Key>(sources: group.replicas.count)
        var cursors: [[UInt8]] = Array(repeating: [], count: group.replicas.count)
        var waiting: [Key] = []
        var (isOver, reported) = (false, 0)
        while !isOver, result.error == nil {
            switch merge.next() {
            case .need(let source):
                do {
                    let next = try await page(group.replicas[source], cursors[source])
                    cursors[source] = next.cursor
                    if source == group.replicas.count - 1 { result.doubtful += next.doubtful }
                    try merge.add(next.items, isLast: next.cursor.isEmpty, to: source)
                } catch { result.error = error }
            case .differs(let key): waiting.append(key)
            case .end: isOver = true
            }
            if Task.isCancelled { result.error = CancellationError() }
            if isOver || merge.compared >= reported + Self.batchMax {
                let compared = UInt64(merge.compared - reported)
                // A second walk, for the proof, goes through the same keys in no time.
                handle.update { $0.done = min($0.done + compared, $0.total) }
                reported = merge.compared
            }
            guard result.error == nil, waiting.count >= Self.batchMax || isOver && !waiting.isEmpty else { continue }
            let taught = await self.teach(waiting, handle, teach, &result)
            increment(taught)
            let (compared, doubtful) = (merge.compared, result.doubtful)
            note {
                count(&$0, taught)
                $0.keysCompared = compared
                $0.doubtfulKeys = doubtful
            }
            waiting = []
        }
    }

    /// Returns how many were brought.
    private func teach<Key: Sendable>(
        _ keys: [Key], _ handle: TaskHandle,
        _ teach: @escaping @Sendable (Key) async throws(AccessError) -> Bool, _ result: inout Result
    ) async -> Int {
        do { try await handle.admit(objects: keys.count) } catch {
            result.error = error
            return 0
        }
        var taught = 0
        for outcome in await boundedResults(keys, concurrency: concurrency, teach) {
            switch outcome {
            case .success(let isNew): taught += isNew ? 1 : 0
            case .failure(let error): result.error = result.error ?? error
            }
        }
        handle.update { [taught] in $0.objects += UInt64(taught) }
        return taught
    }
}
