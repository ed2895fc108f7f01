import Checksums
import Model

/// One file of the log: a header, then records. Made at its full size, filled with zeros and synced before its first
/// record, so that the sync of a record has no file size to write.
final class SegmentFile: Sendable {
    static let headerSize = 64
    private static let magic: UInt64 = 0x3130_4745_5354_4c4d  // "MLTSEG01" as bytes
    private static let formatVersion: UInt32 = 1

    let number: UInt32
    let capacity: Int
    let file: any LogFile

    private init(number: UInt32, capacity: Int, file: any LogFile) {
        self.number = number
        self.capacity = capacity
        self.file = file
    }

    static func name(_ number: UInt32) -> String {
        let digits = String(number)
        return "segment-" + String(repeating: "0", count: 10 - digits.count) + digits + ".log"
    }

    static func number(of name: String) -> UInt32? {
        guard name.hasPrefix("segment-"), name.hasSuffix(".log") else { return nil }
        return UInt32(name.dropFirst("segment-".count).dropLast(".log".count))
    }

    private static let unfinished = "segment.preparing"

    /// Makes a segment that is ready for records. A crash on the way leaves only the unfinished file.
    static func prepare(
        _ number: UInt32, capacity: Int, disk: DiskID, in directory: any LogDirectory
    ) throws(FileError) -> SegmentFile {
        let file = try directory.create(unfinished)
        var header = [UInt8](repeating: 0, count: headerSize)
        header.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: magic.littleEndian, as: UInt64.self)
            bytes.storeBytes(of: formatVersion.littleEndian, toByteOffset: 8, as: UInt32.self)
            bytes.storeBytes(of: number.littleEndian, toByteOffset: 12, as: UInt32.self)
            bytes.storeBytes(of: UInt64(capacity).littleEndian, toByteOffset: 16, as: UInt64.self)
            bytes[24..<40].copyBytes(from: disk.bytes)
            let checksum = crc32c(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[0..<40]))
            bytes.storeBytes(of: checksum.littleEndian, toByteOffset: 40, as: UInt32.self)
        }
        let zeros = [UInt8](repeating: 0, count: min(capacity, 1 << 20))
        var offset = 0
        while offset < capacity {
            let count = min(zeros.count, capacity - offset)
            try file.write(count == zeros.count ? zeros : Array(zeros[0..<count]), at: offset)
            offset += count
        }
        try file.write(header, at: 0)
        try file.sync()
        try directory.rename(unfinished, to: name(number))
        try directory.sync()
        return SegmentFile(number: number, capacity: capacity, file: file)
    }

    static func removeUnfinished(in directory: any LogDirectory) throws(FileError) {
        try directory.remove(unfinished)
    }

    static func open(_ number: UInt32, disk: DiskID, in directory: any LogDirectory) throws(ObjectLogError)
        -> SegmentFile
    {
        let path = directory.path + "/" + name(number)
        let header: [UInt8]
        let file: any LogFile
        let size: Int
        do {
            file = try directory.open(name(number))
            header = try file.read(count: headerSize, at: 0)
            size = try file.size()
        } catch { throw .file(error) }
        let damaged = ObjectLogError.damaged(LogPosition(segment: number, offset: 0), "\(path) has no valid header")
        guard header.count == headerSize else { throw damaged }
        let capacity = try header.withUnsafeBytes { bytes -> Result<Int, ObjectLogError> in
            let body = UnsafeRawBufferPointer(rebasing: bytes[0..<40])
            guard bytes.number(at: 0, UInt64.self) == magic, crc32c(body) == bytes.number(at: 40, UInt32.self) else {
                return .failure(damaged)
            }
            guard bytes.number(at: 8, UInt32.self) <= formatVersion else {
                return .failure(.newerFormat("\(path) was written by a newer version"))
            }
            guard DiskID(bytes[24..<40]) == disk, bytes.number(at: 12, UInt32.self) == number else {
                return .failure(.foreign("\(path) belongs to another log"))
            }
            // A truncated file has lost its end; what is left can be read.
            return .success(min(Int(clamping: bytes.number(at: 16, UInt64.self)), size))
        }.get()
        return SegmentFile(number: number, capacity: capacity, file: file)
    }
}
