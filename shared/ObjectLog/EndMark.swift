import Checksums

/// How far the log was synced, told outside of its segments: without it, destroyed records at the end of the log would
/// pass for an interrupted write.
///
/// The writer notes the end of every batch after its sync and before anybody hears of it, but syncs this file only now
/// and then. So it never promises too much: after the death of the process it is exact, after a power cut it may be a
/// little behind. Two slots take turns: while one is written, the other has what was synced.
struct EndMark {
    static let fileName = "end"
    private static let magic: UInt64 = 0x3130_444e_4554_4c4d  // "MLTEND01" as bytes
    private static let slotSize = 24
    private static let slotOffsets = [0, 4096]
    private static let fileSize = 8192

    /// What the file of a log tells.
    enum Knowledge: Equatable {
        /// This log never had one.
        case none
        /// Everything before was synced.
        case position(LogPosition)
        /// It had one, and it is gone or damaged: nobody knows how long the log was.
        case lost

        var position: LogPosition { if case .position(let position) = self { position } else { .start } }
    }

    private let file: any LogFile
    private let seed: UInt32
    /// The slot that may be written.
    private var slot: Int
    /// Written since the last sync.
    private(set) var isDirty = false

    // MARK: - Opening

    /// Changes nothing.
    static func read(_ directory: any LogDirectory, owner: LogOwner, seed: UInt32) throws(FileError) -> Knowledge {
        guard owner.hasEndMark else { return .none }
        guard try directory.names().contains(fileName) else { return .lost }
        let file = try directory.open(fileName)
        return slots(of: file, seed: seed).compactMap(\.self).max().map { .position($0) } ?? .lost
    }

    /// A slot that cannot be read tells nothing.
    private static func slots(of file: any LogFile, seed: UInt32) -> [LogPosition?] {
        slotOffsets.map { offset in
            guard let bytes = try? file.read(count: slotSize, at: offset), bytes.count == slotSize else { return nil }
            return bytes.withUnsafeBytes { position(in: $0, seed: seed) }
        }
    }

    /// To be written to from now on. A log that never had a mark gets one, and its owner says so.
    static func open(
        _ directory: any LogDirectory, owner: inout LogOwner, seed: UInt32, _ known: Knowledge
    ) throws(FileError) -> EndMark {
        switch known {
        case .position(let position):
            let file = try directory.open(fileName)
            // The newest slot must survive a power cut before the other one is written.
            try file.sync()
            return EndMark(file, seed, slot: slots(of: file, seed: seed)[0] == position ? 1 : 0)
        case .lost: return EndMark(try create(in: directory), seed, slot: 0)
        case .none:
            var mark = EndMark(try create(in: directory), seed, slot: 0)
            try mark.write(.start)
            try mark.sync()
            owner.hasEndMark = true
            try owner.store(in: directory)
            return mark
        }
    }

    private static func create(in directory: any LogDirectory) throws(FileError) -> any LogFile {
        let file = try directory.create(fileName)
        try file.write([UInt8](repeating: 0, count: fileSize), at: 0)
        try file.sync()
        try directory.sync()
        return file
    }

    private init(_ file: any LogFile, _ seed: UInt32, slot: Int) {
        (self.file, self.seed, self.slot) = (file, seed, slot)
    }

    // MARK: - Writing

    /// Everything before this position is durable.
    mutating func write(_ position: LogPosition) throws(FileError) {
        try file.write(Self.bytes(position, seed: seed), at: Self.slotOffsets[slot])
        isDirty = true
    }

    mutating func sync() throws(FileError) {
        guard isDirty else { return }
        try file.sync()
        slot = 1 - slot
        isDirty = false
    }

    // MARK: - Format

    private static func bytes(_ position: LogPosition, seed: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(slotSize)
        bytes.append(number: magic)
        bytes.append(number: position.rawValue)
        bytes.append(number: UInt32(0))
        bytes.append(number: crc32c(bytes, continuing: seed))
        return bytes
    }

    private static func position(in bytes: UnsafeRawBufferPointer, seed: UInt32) -> LogPosition? {
        guard bytes.number(at: 0, UInt64.self) == magic,
            crc32c(UnsafeRawBufferPointer(rebasing: bytes[0..<20]), continuing: seed)
                == bytes.number(at: 20, UInt32.self)
        else { return nil }
        return LogPosition(rawValue: bytes.number(at: 8, UInt64.self))
    }
}
