import Checksums
import Glibc
import Model

/// One file of the log: a header, then records. Made at its full size, filled with zeros and synced before its first
/// record, so that the sync of a record has no file size to write.
final class SegmentFile: Sendable {
    static let headerSize = 64
    private static let magic: UInt64 = 0x3130_4745_5354_4c4d  // "MLTSEG01" as bytes
    private static let formatVersion: UInt32 = 1

    let number: UInt32
    /// Bytes that can be read.
    let capacity: Int
    /// Bytes that it was made with.
    let madeCapacity: Int
    let headerIntact: Bool
    let file: any LogFile

    private init(number: UInt32, capacity: Int, madeCapacity: Int, headerIntact: Bool = true, file: any LogFile) {
        self.headerIntact = headerIntact
        self.number = number
        self.capacity = capacity
        self.madeCapacity = madeCapacity
        self.file = file
    }

    /// The file has lost its end.
    var isTruncated: Bool { capacity < madeCapacity }

    /// Of the end that was lost; 0 when nobody knows how much it was.
    private var missingBytes: Int { madeCapacity == Int(UInt32.max) ? 0 : max(0, madeCapacity - capacity) }

    /// The end that it has lost; nil: it is as long as it was made.
    var truncation: LogDamage? {
        guard isTruncated else { return nil }
        let end = LogPosition(segment: number, offset: UInt32(capacity))
        return LogDamage(position: end, size: missingBytes, records: nil, kind: .truncatedSegment)
    }

    /// Where the trailer stands, before which records end.
    var recordLimit: Int { min(capacity, madeCapacity - SegmentTrailer.size) }

    static func name(_ number: UInt32) -> String {
        let digits = String(number)
        return "segment-" + String(repeating: "0", count: 10 - digits.count) + digits + ".log"
    }

    static func number(of name: String) -> UInt32? {
        guard name.hasPrefix("segment-"), name.hasSuffix(".log") else { return nil }
        return UInt32(name.dropFirst("segment-".count).dropLast(".log".count))
    }

    private static let unfinished = "segment.preparing"

    /// What is written to a new segment at a time, or given back of a removed one: in one piece, the syncs of records
    /// would wait for all of it.
    static let slice = 1 << 20

    /// Makes a segment that is ready for records. A crash on the way leaves only the unfinished file.
    ///
    /// - Parameter pause: called between two slices.
    static func prepare(
        _ number: UInt32, capacity: Int, disk: DiskID, in directory: any LogDirectory, pause: () -> Void = {}
    ) throws(FileError) -> SegmentFile {
        do throws(FileError) {
            return try write(number, capacity: capacity, disk: disk, in: directory, pause: pause)
        } catch {
            // What a full disk took of it is needed elsewhere.
            try? directory.remove(unfinished)
            throw error
        }
    }

    private static func write(
        _ number: UInt32, capacity: Int, disk: DiskID, in directory: any LogDirectory, pause: () -> Void
    ) throws(FileError) -> SegmentFile {
        let file = try directory.create(unfinished)
        try file.reserve(capacity)
        let direct = directory.openDirect(unfinished)
        for offset in stride(from: 0, to: capacity, by: slice) {
            if offset > 0 { pause() }
            try fill(file, direct, offset..<min(capacity, offset + slice))
        }
        try file.write(header(number, capacity: capacity, disk: disk), at: 0)
        try file.sync()
        try directory.rename(unfinished, to: name(number))
        try directory.sync()
        return SegmentFile(number: number, capacity: capacity, madeCapacity: capacity, file: file)
    }

    /// With zeros that the system need not keep in memory, where it can do without.
    private static func fill(_ file: any LogFile, _ direct: (any LogFile)?, _ range: Range<Int>) throws(FileError) {
        let zeros = UnsafeRawBufferPointer(rebasing: WholeBlocks.zeros.memory[..<range.count])
        if let direct, range.count % WholeBlocks.size == 0 {
            do throws(FileError) { return try direct.write(zeros, at: range.lowerBound) } catch {
                // It wants larger blocks.
                guard error.code == EINVAL else { throw error }
            }
        }
        try file.write(zeros, at: range.lowerBound)
        file.writeBack(range)
    }

    /// A whole block, so that the system has it in memory and need not read it when the first record follows.
    private static func header(_ number: UInt32, capacity: Int, disk: DiskID) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: min(capacity, WholeBlocks.size))
        header.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: magic.littleEndian, as: UInt64.self)
            bytes.storeBytes(of: formatVersion.littleEndian, toByteOffset: 8, as: UInt32.self)
            bytes.storeBytes(of: number.littleEndian, toByteOffset: 12, as: UInt32.self)
            bytes.storeBytes(of: UInt64(capacity).littleEndian, toByteOffset: 16, as: UInt64.self)
            bytes[24..<40].copyBytes(from: disk.bytes)
            let checksum = crc32c(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[0..<40]))
            bytes.storeBytes(of: checksum.littleEndian, toByteOffset: 40, as: UInt32.self)
        }
        return header
    }

    static func removeUnfinished(in directory: any LogDirectory) throws(FileError) {
        try directory.remove(unfinished)
    }

    /// Sealed before: where its footer ends. nil: not sealed, or the trailer is damaged.
    func trailer(seed: UInt32) throws(FileError) -> SegmentTrailer? {
        guard !isTruncated else { return nil }
        let bytes = try file.read(count: SegmentTrailer.size, at: capacity - SegmentTrailer.size)
        return bytes.withUnsafeBytes { SegmentTrailer($0, segment: number, seed: seed) }
    }

    /// A header that is damaged or cut off is no reason not to read the records: they name their place and their disk.
    static func open(_ number: UInt32, disk: DiskID, in directory: any LogDirectory) throws(ObjectLogError)
        -> SegmentFile
    {
        let file: any LogFile
        let header: [UInt8]
        let size: Int
        do {
            file = try directory.open(name(number))
            size = try file.size()
            header = try readHeader(of: file)
        } catch { throw .file(error) }
        let made = try header.withUnsafeBytes { bytes -> Result<Int?, ObjectLogError> in
            guard bytes.count == headerSize else { return .success(Int(UInt32.max)) }
            let body = UnsafeRawBufferPointer(rebasing: bytes[0..<40])
            guard bytes.number(at: 0, UInt64.self) == magic, crc32c(body) == bytes.number(at: 40, UInt32.self) else {
                return .success(nil)
            }
            let path = directory.path + "/" + name(number)
            guard bytes.number(at: 8, UInt32.self) <= formatVersion else {
                return .failure(.newerFormat("\(path) was written by a newer version"))
            }
            guard DiskID(bytes[24..<40]) == disk, bytes.number(at: 12, UInt32.self) == number else {
                return .failure(.foreign("\(path) belongs to another log"))
            }
            return .success(Int(clamping: bytes.number(at: 16, UInt64.self)))
        }.get()
        // A truncated file has lost its end; what is left can be read.
        return SegmentFile(
            number: number, capacity: min(made ?? size, size), madeCapacity: made ?? size, headerIntact: made != nil,
            file: file)
    }

    private static func readHeader(of file: any LogFile) throws(FileError) -> [UInt8] {
        do throws(FileError) { return try file.read(count: headerSize, at: 0) } catch {
            guard error.code == EIO else { throw error }
            return [UInt8](repeating: 0, count: headerSize)
        }
    }
}
