import Threads

extension ObjectLog {
    /// Room that a record of an upload needs: below it the log counts as full.
    private static let fullBelow = 1 << 20

    /// The disk is full, and content has no room any more.
    public var isFull: Bool {
        guard supply.isFull else { return false }
        let bytes = min(Self.fullBelow, configuration.segmentSize / 4)
        return (try? hasRoom(bytes, priority: .content)) == false
    }

    /// Whether records of this size altogether can be appended without waiting. Stays true until the next append.
    public func hasRoom(_ bytes: Int, priority: AppendPriority = .content) throws(ObjectLogError) -> Bool {
        try state.withLock { state throws(ObjectLogError) in
            try state.checkOpen()
            return state.queuedBytes <= configuration.queueSizeMax
                && supply.holds(priority.reserve, taking: !state.mayFit(bytes))
        }
    }

    /// Waits until `hasRoom`. Call it before taking a lock of your own. Throws `diskFull` when there is none to come.
    public func waitForRoom(_ bytes: Int, priority: AppendPriority = .content) throws(ObjectLogError) {
        try check(size: bytes)
        let fits = try state.waiting { state, waiter throws(ObjectLogError) -> Bool in
            while state.pointee.queuedBytes > configuration.queueSizeMax, state.pointee.failure == nil,
                !state.pointee.isStopping
            {
                waiter.wait()
            }
            try state.pointee.checkOpen()
            return state.pointee.mayFit(bytes)
        }
        try supply.wait(for: priority.reserve, taking: !fits)
    }

    /// Queues a record and returns its position. It is durable when the observer has been told of a later position.
    @discardableResult
    public func append(_ entry: LogEntry, urgency: Urgency = .now, priority: AppendPriority = .content)
        throws(ObjectLogError) -> LogPosition
    {
        try check(size: entry.recordSize, head: entry.head.count)
        while true {
            let placed = try state.withLock { state throws(ObjectLogError) -> (position: LogPosition?, wakes: Bool) in
                try state.checkOpen()
                let fits = state.fits(entry)
                let wakes = urgency == .now ? !state.isUrgent : state.queue.isEmpty
                guard !fits || supply.holds(priority.reserve, taking: false) else { return (nil, false) }
                if !fits {
                    guard let next = supply.take(leaving: priority.reserve) else { return (nil, false) }
                    state.seal(seed: seed)
                    state.begin(next)
                    files.remember(next)
                    catalog.withLock { $0.use(next) }
                }
                if urgency == .now { state.isUrgent = true }
                return (state.place(entry), wakes)
            }
            if placed.wakes { state.wake() }
            if let position = placed.position { return position }
            let fits = state.withLock { $0.fits(entry) }
            try supply.wait(for: priority.reserve, taking: !fits)
        }
    }

    private func check(size: Int, head: Int = 0) throws(ObjectLogError) {
        let footer = FooterBuilder(capacity: configuration.segmentSize)
        let needed = RecordHeader.aligned(size) + ObjectLog.State.footerRoom(footer, head: head)
        guard needed <= configuration.segmentSize - SegmentFile.headerSize else { throw .recordTooLarge(size) }
    }
}

extension ObjectLog.State {
    func checkOpen() throws(ObjectLogError) {
        if let failure { throw failure }
        if isStopping { throw .stopped }
    }

    /// Whether records of so many bytes altogether go into the active segment, however many they are.
    fileprivate func mayFit(_ bytes: Int) -> Bool {
        // Of every record the footer has a copy of the head and less than a header; blocks add a little.
        let withFooter = 2 * bytes + 1024
        return !isEnded && nextOffset + withFooter + Self.footerRoom(footer, head: 0) <= segment.capacity
    }

    /// Room for the footer when a record with such a head, and a mark of the log's own, are added.
    static func footerRoom(_ footer: FooterBuilder, head: Int) -> Int {
        RecordHeader.size + footer.room(adding: 2 * FooterEntry.fixedSize + head)
    }

    func fits(_ entry: LogEntry) -> Bool {
        !isEnded
            && nextOffset + RecordHeader.aligned(entry.recordSize) + Self.footerRoom(footer, head: entry.head.count)
                <= segment.capacity
    }

    /// Whether the last sync is not yet told by a later record. While a loss is not remembered nothing else is written:
    /// records behind it would look as if the log had gone on without a fault.
    var needsMark: Bool { marked < durable && queue.isEmpty && !isLossForgotten }
    private var isLossForgotten: Bool { markHeldUntil.rawValue == .max }

    mutating func place(_ entry: LogEntry) -> LogPosition {
        let header = enqueue(entry)
        footer.add(header, head: entry.head)
        if footer.isFull {
            let block = enqueue(footer.block(isFinal: false))
            footer.written(at: Int(block.position.offset))
        }
        return header.position
    }

    /// Ends the active segment: a footer for what it holds, and the trailer.
    fileprivate mutating func seal(seed: UInt32) {
        // After damage to blocks of the footer what it has to tell may be too long: then the segment goes without.
        guard !isEnded, nextOffset + footer.room(adding: 0) <= segment.capacity else { return }
        let block = enqueue(footer.block(isFinal: true))
        let trailer = SegmentTrailer(
            lastBlock: Int(block.position.offset), segment: segment.number, nextSequence: nextSequence)
        queue[queue.count - 1].trailer = trailer.bytes(seed: seed)
        sealing.insert(segment.number)
    }

    fileprivate mutating func begin(_ next: SegmentFile) {
        segment = next
        isEnded = false
        nextOffset = SegmentFile.headerSize
        footer = FooterBuilder(capacity: next.capacity)
    }

    private mutating func enqueue(_ entry: LogEntry) -> RecordHeader {
        let position = LogPosition(segment: segment.number, offset: UInt32(nextOffset))
        let header = RecordHeader(
            type: entry.type, position: position, sequence: nextSequence, durable: .start, headLength: entry.head.count,
            payloadLength: entry.payload.readableBytes, payloadChecksum: entry.payloadChecksum)
        queue.append(ObjectLog.Pending(entry: entry, header: header, segment: segment))
        nextSequence += 1
        nextOffset += header.alignedSize
        queuedBytes += header.alignedSize
        return header
    }

    mutating func placeMark() -> Bool {
        let mark = LogEntry(type: ObjectLog.markType, head: [])
        guard needsMark, fits(mark) else { return false }
        _ = place(mark)
        marked = durable
        return true
    }
}
