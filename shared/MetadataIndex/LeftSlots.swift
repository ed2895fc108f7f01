import Model

/// For each slot, before which position of the log its records count for nothing: the slot went to another disk.
///
/// The entries are taken out of the index later, some at a time; until then they are only hidden by whoever asks.
struct LeftSlots: Sendable, Equatable {
    /// 0: nothing was left.
    private var before: [UInt64]
    /// Slots of which the index may still have entries.
    private(set) var pending = SlotSet()
    private(set) var isEmpty = true

    init() { before = Array(repeating: 0, count: SlotSet.count) }

    mutating func leave(_ slots: SlotSet, before position: UInt64) {
        for slot in slots.slots where position > before[slot] {
            before[slot] = position
            pending.insert(slot)
        }
        isEmpty = before.allSatisfy { $0 == 0 }
    }

    mutating func forgotten() { pending = SlotSet() }

    func contains(_ position: UInt64, ofSlot slot: Int) -> Bool { position < before[slot] }

    func encoded() -> [UInt8] {
        var bytes = pending.bytes
        for number in before { bytes.appendNumber(number) }
        return bytes
    }

    init?(decoding bytes: UnsafeRawBufferPointer) {
        self.init()
        var reader = ByteReader(bytes)
        guard let pending = reader.bytes(SlotSet.count / 8).flatMap({ SlotSet(bytes: $0) }) else { return nil }
        self.pending = pending
        for slot in 0..<SlotSet.count {
            guard let number: UInt64 = reader.number() else { return nil }
            before[slot] = number
        }
        isEmpty = before.allSatisfy { $0 == 0 }
    }
}

/// How far ``MetadataIndex/forgetLeft(after:limit:)`` has come.
public struct LeftCursor: Sendable {
    fileprivate var left: LeftSlots
    fileprivate var partitions: LeftPartitions
    fileprivate var key: [UInt8]
}

extension MetadataIndex {
    /// Whether the index may have entries of slots or partitions that were left.
    public var hasLeft: Bool { !leftSlots.pending.isEmpty || !leftPartitions.pending.isEmpty }

    /// Takes out entries of slots and partitions that were left. Looks at about `limit` entries; nil: that was all.
    /// - Parameter onChange: called with what has gone.
    public func forgetLeft(
        after cursor: LeftCursor? = nil, limit: Int, onChange: (AppliedChanges) -> Void = { _ in }
    ) throws -> LeftCursor? {
        var next: LeftCursor?
        let applied = try change { application in
            let (left, partitions) = (leftSlots, leftPartitions)
            guard !left.pending.isEmpty || !partitions.pending.isEmpty else { return }
            let isSame = cursor?.left == left && cursor?.partitions == partitions
            var start = isSame ? cursor!.key : [IndexKeys.registers]
            var (looked, key) = (0, [UInt8]?.none)
            if start[0] == IndexKeys.registers {
                key = try forgetRegisters(from: start, limit, &looked, &application)
                start = [IndexKeys.blobs]
            }
            if key == nil { key = try forgetChunks(from: start, limit, &looked, &application) }
            next = key.map { LeftCursor(left: left, partitions: partitions, key: $0) }
            guard next == nil else { return }
            if !left.pending.isEmpty { application.changeLeft { $0.forgotten() } }
            if !partitions.pending.isEmpty { application.changeLeftPartitions { $0.forgotten() } }
        }
        onChange(applied)
        return next
    }

    private func forgetRegisters(
        from start: [UInt8], _ limit: Int, _ looked: inout Int,
        _ application: inout IndexApplication
    ) throws -> [UInt8]? {
        let (gone, next) = try choose(from: start, below: IndexKeys.registers + 1, limit, &looked) {
            step -> RegisterName? in
            let key = Array(step.key.dropFirst())
            guard let position = IndexedRegister.position(in: step.value), let name = RegisterName(indexKey: key) else {
                throw IndexError.corruption("unreadable entry of a register")
            }
            return hasLeft(key: key, position: position) ? name : nil
        }
        for name in gone { try application.forget(name) }
        return next
    }

    private func forgetChunks(
        from start: [UInt8], _ limit: Int, _ looked: inout Int,
        _ application: inout IndexApplication
    ) throws -> [UInt8]? {
        let (gone, next) = try choose(from: start, below: IndexKeys.blobs + 1, limit, &looked) {
            step -> BlobKey? in
            guard let key = BlobKey(step.key.dropFirst()), let entry = BlobEntry(decoding: step.value) else {
                throw IndexError.corruption("unreadable entry of a blob")
            }
            guard key.index != nil, case .stored(let location) = entry else { return nil }
            // A chunk's key is also its place on the ring.
            return hasLeft(key: key.bytes, position: location.position) ? key : nil
        }
        for key in gone { try application.forget(key) }
        return next
    }

    /// Looks at entries until `looked` reaches the limit. Returns what was chosen, and the key to go on with.
    private func choose<Chosen>(
        from start: [UInt8], below bound: UInt8, _ limit: Int, _ looked: inout Int,
        _ choice: (ScanStep) throws -> Chosen?
    ) throws -> (chosen: [Chosen], next: [UInt8]?) {
        var (chosen, next) = ([Chosen](), [UInt8]?.none)
        try database.scan(from: start, below: [bound]) { step in
            guard looked < limit else {
                next = Array(step.key)
                return .stop
            }
            looked += 1
            if let found = try choice(step) { chosen.append(found) }
            return .next
        }
        return (chosen, next)
    }
}

extension IndexApplication {
    /// A register of a slot or partition that was left, with the blobs beside it.
    mutating func forget(_ name: RegisterName) throws {
        guard let old = try register(name) else { return }
        try drop(name, old)
        for blob in old.value.blobs { try forget(BlobKey(blob)) }
        try forgetUnclaimed(of: name)
    }

    func isLeft(_ name: RegisterName, _ position: UInt64) -> Bool {
        isLeft(name.indexKey, position)
    }

    private func isLeft(_ key: @autoclosure () -> [UInt8], _ position: UInt64) -> Bool {
        let (left, partitions) = (left ?? index.leftSlots, leftPartitions ?? index.leftPartitions)
        return !left.isEmpty && left.contains(position, ofSlot: SlotSet.slot(ofKey: key()))
            || partitions.contains(position, key())
    }

    func isLeft(_ key: BlobKey, _ owner: BlobOwner?, _ position: UInt64) -> Bool {
        if key.index != nil { return isLeft(key.bytes, position) }
        return owner.map { isLeft($0.name, position) } ?? false
    }

    mutating func changeLeft(_ body: (inout LeftSlots) -> Void) {
        var changed = left ?? index.leftSlots
        body(&changed)
        left = changed
        batch.put(IndexKeys.left, changed.encoded())
    }
}

extension SlotSet {
    public func union(_ other: SlotSet) -> SlotSet { SlotSet(slots + other.slots) }
    public func intersection(_ other: SlotSet) -> SlotSet { SlotSet(slots.filter(other.contains)) }
    public func subtracting(_ other: SlotSet) -> SlotSet { SlotSet(slots.filter { !other.contains($0) }) }
}
