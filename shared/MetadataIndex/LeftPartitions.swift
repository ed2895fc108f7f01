import Model

/// For each partition that the ring took away from the node, before which position of the log its records count for nothing.
///
/// As with ``LeftSlots`` the entries are taken out of the index later; until then whoever asks must not take them for
/// anything.
struct LeftPartitions: Sendable, Equatable {
    private(set) var cut: PartitionCut?
    private var before: [UInt32: UInt64] = [:]
    /// Partitions of which the index may still have entries.
    private(set) var pending: Set<UInt32> = []
    /// Nothing behind it was left.
    private var highest: UInt64 = 0

    init() {}

    mutating func leave(_ partitions: [UInt32], of cut: PartitionCut, before position: UInt64) {
        // A cluster never cuts its ring anew.
        guard self.cut == nil || self.cut == cut else { return }
        self.cut = cut
        for partition in partitions where position > before[partition] ?? 0 {
            before[partition] = position
            pending.insert(partition)
        }
        highest = max(highest, before.values.max() ?? 0)
    }

    mutating func forgotten() { pending = [] }

    func contains(_ position: UInt64, _ key: @autoclosure () -> [UInt8]) -> Bool {
        guard position < highest, let cut, let bound = before[cut.partition(of: key())] else { return false }
        return position < bound
    }

    // MARK: - Encoding

    func encoded() -> [UInt8] {
        guard let cut else { return [] }
        var bytes = cut.hashKey
        bytes.appendNumber(UInt32(cut.count))
        for (partition, position) in before.sorted(by: { $0.key < $1.key }) {
            bytes.appendNumber(partition)
            bytes.append(pending.contains(partition) ? 1 : 0)
            bytes.appendNumber(position)
        }
        return bytes
    }

    init?(decoding bytes: UnsafeRawBufferPointer) {
        var reader = ByteReader(bytes)
        guard let key = reader.bytes(16), let count: UInt32 = reader.number(),
            let cut = PartitionCut(hashKey: key, count: Int(count))
        else { return nil }
        self.cut = cut
        while let partition: UInt32 = reader.number() {
            guard let isPending = reader.byte(), let position: UInt64 = reader.number() else { return nil }
            before[partition] = position
            if isPending != 0 { pending.insert(partition) }
        }
        highest = before.values.max() ?? 0
    }
}

extension MetadataIndex {
    /// Partitions that were left, and of which the index may still have entries.
    public var leavingPartitions: Set<UInt32> { leftPartitions.pending }
}

extension IndexApplication {
    mutating func changeLeftPartitions(_ body: (inout LeftPartitions) -> Void) {
        var changed = leftPartitions ?? index.leftPartitions
        body(&changed)
        leftPartitions = changed
        batch.put(IndexKeys.leftPartitions, changed.encoded())
    }
}
