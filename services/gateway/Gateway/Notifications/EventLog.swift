import Checksums
import ClusterState
import Foundation

/// A queue of byte strings on the disk: appended at one end, durable when `append` returns, removed at the other.
///
/// Segments `FIRST.events` hold records `[length][CRC32C][bytes]`; the name is the number of the first one, in hex. The file
/// `position` has the number of the first record that is not removed. It is written without a sync: after a crash some that
/// were removed may be back. What a torn write left at the end is cut when the log is opened. Used by one thread at a time.
final class EventLog {
    private struct Segment {
        var first: UInt64
        /// Ends of the records.
        var ends: [Int] = []

        var next: UInt64 { first + UInt64(ends.count) }
        var size: Int { ends.last ?? 0 }
    }

    static let headerSize = 8
    static let eventSizeMax = 1 << 20

    private let directory: String
    private let segmentSize: Int
    private var segments: [Segment] = []
    /// Of the last segment; nil: there is none, or it is not to be written to any more.
    private var writer: Int32?
    private let positionFile: Int32
    /// The first record that is not removed.
    private var position: UInt64 = 0
    /// Records that could not be read when the log was opened.
    private(set) var damaged = 0

    /// - Throws: ``EventLogFailure``.
    init(directory: String, segmentSize: Int = 4 << 20) throws {
        self.directory = directory
        self.segmentSize = segmentSize
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else { throw Self.failure("make", directory) }
        positionFile = open(directory + "/position", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard positionFile >= 0 else { throw Self.failure("open", directory + "/position") }
        try recover()
    }

    deinit {
        if let writer { close(writer) }
        close(positionFile)
    }

    /// Records that wait.
    var count: Int { Int((segments.last?.next ?? position) - position) }
    /// What they take. On the disk there may be a segment more.
    var bytes: Int {
        segments.reduce(0) { sum, segment in
            guard segment.next > position else { return sum }
            let done = position > segment.first ? segment.ends[Int(position - segment.first) - 1] : 0
            return sum + segment.size - done
        }
    }

    // MARK: - Append

    /// Durable when it returns. After a failure none of them counts.
    func append(_ events: [[UInt8]]) throws {
        guard !events.isEmpty else { return }
        if writer == nil || (segments.last?.size ?? 0) >= segmentSize { try beginSegment() }
        guard let writer, let last = segments.indices.last else { throw Self.failure("open", directory) }
        var (bytes, ends) = ([UInt8](), [Int]())
        let start = segments[last].size
        for event in events {
            bytes += Self.number(UInt32(event.count)) + Self.number(crc32c(event)) + event
            ends.append(start + bytes.count)
        }
        guard Self.write(bytes, at: start, writer), fdatasync(writer) == 0 else {
            let failure = Self.failure("write", path(segments[last]))
            // What is durable of a failed write nobody knows: nothing is written behind it.
            close(writer)
            self.writer = nil
            throw failure
        }
        segments[last].ends += ends
    }

    private func beginSegment() throws {
        let segment = Segment(first: segments.last?.next ?? position)
        if let writer { close(writer) }
        writer = nil
        // One of the same name has no record that counts.
        let descriptor = open(path(segment), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("create", path(segment)) }
        segments.removeAll { $0.ends.isEmpty }
        writer = descriptor
        segments.append(segment)
        try syncDirectory()
    }

    // MARK: - Take

    /// The oldest record; nil: there is none.
    func first() throws -> (number: UInt64, event: [UInt8])? {
        guard let segment = segments.first(where: { $0.next > position }) else { return nil }
        // Records that could not be read leave a gap.
        position = max(position, segment.first)
        let index = Int(position - segment.first)
        let start = index == 0 ? 0 : segment.ends[index - 1]
        let file = open(path(segment), O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw Self.failure("open", path(segment)) }
        defer { close(file) }
        let record = Self.read(segment.ends[index] - start, at: start, file)
        guard record.count == segment.ends[index] - start, let event = Self.event(in: record[...]) else {
            throw EventLogFailure(description: "an event in \(path(segment)) is damaged")
        }
        return (position, event)
    }

    /// The record and all before it are done with. Segments that have no others are deleted.
    func remove(through number: UInt64) {
        guard number >= position else { return }
        position = number + 1
        let bytes = Self.number(position) + Self.number(crc32c(Self.number(position)))
        _ = Self.write(bytes, at: 0, positionFile)
        while let segment = segments.first, segment.next <= position, segments.count > 1 || segment.size >= segmentSize
        {
            if segments.count == 1, let writer {
                close(writer)
                self.writer = nil
            }
            unlink(path(segment))
            segments.removeFirst()
        }
    }

    // MARK: - Recovery

    private func recover() throws {
        let saved = Self.read(12, at: 0, positionFile)
        if saved.count == 12, crc32c(Array(saved[..<8])) == Self.number(of: saved[8...]) {
            position = Self.number(of: saved[..<8])
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: directory)
        let found = names.filter { $0.hasSuffix(".events") }
            .compactMap { UInt64($0.dropLast(".events".count), radix: 16) }.sorted()
        for (index, first) in found.enumerated() {
            var segment = try scan(Segment(first: first), isLast: first == found.last)
            // What a failed write has left there was written again behind it.
            if index + 1 < found.count {
                segment.ends.removeLast(max(0, segment.ends.count - Int(clamping: found[index + 1] - first)))
            }
            if segment.next <= position, first != found.last {
                unlink(path(segment))
            } else {
                segments.append(segment)
            }
        }
        // Numbers go on where they ended, whatever the position says.
        position = min(max(position, segments.first?.first ?? position), segments.last?.next ?? position)
        if let last = segments.last {
            let descriptor = open(path(last), O_RDWR | O_CLOEXEC)
            guard descriptor >= 0, ftruncate(descriptor, off_t(last.size)) == 0, fdatasync(descriptor) == 0 else {
                throw Self.failure("cut", path(last))
            }
            writer = descriptor
        }
    }

    private func scan(_ empty: Segment, isLast: Bool) throws -> Segment {
        var segment = empty
        guard let bytes = try DurableFile.read(path(segment)) else { return segment }
        while segment.size + Self.headerSize <= bytes.count {
            let length = Int(Self.number(of: bytes[segment.size...].prefix(4)) as UInt32)
            let end = segment.size + Self.headerSize + length
            guard length <= Self.eventSizeMax, end <= bytes.count, Self.event(in: bytes[segment.size..<end]) != nil
            else { break }
            segment.ends.append(end)
        }
        // At the end of the last one it is a write that nobody was told of.
        if segment.size < bytes.count, !isLast { damaged += 1 }
        return segment
    }

    // MARK: - Bytes

    private static func event(in record: ArraySlice<UInt8>) -> [UInt8]? {
        guard record.count >= headerSize else { return nil }
        let event = Array(record.dropFirst(headerSize))
        guard number(of: record.prefix(4)) as UInt32 == UInt32(event.count),
            number(of: record.dropFirst(4).prefix(4)) == crc32c(event)
        else { return nil }
        return event
    }

    private static func number<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }

    private static func number<Number: FixedWidthInteger>(of bytes: ArraySlice<UInt8>) -> Number {
        bytes.reversed().reduce(0) { $0 << 8 | Number($1) }
    }

    private func path(_ segment: Segment) -> String {
        let digits = String(segment.first, radix: 16)
        return directory + "/" + String(repeating: "0", count: 16 - digits.count) + digits + ".events"
    }

    private static func write(_ bytes: [UInt8], at offset: Int, _ file: Int32) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                pwrite(file, $0.baseAddress! + done, bytes.count - done, off_t(offset + done))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }

    /// Fewer bytes at the end of the file, or after an error.
    private static func read(_ size: Int, at offset: Int, _ file: Int32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: size)
        var done = 0
        while done < size {
            let count = bytes.withUnsafeMutableBytes {
                pread(file, $0.baseAddress! + done, size - done, off_t(offset + done))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            done += count
        }
        return Array(bytes[..<done])
    }

    private func syncDirectory() throws {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure("open", directory) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Self.failure("sync", directory) }
    }

    private static func failure(_ verb: String, _ path: String) -> EventLogFailure {
        EventLogFailure(description: "cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}

/// What the operating system said about a file of a queue.
struct EventLogFailure: Error, CustomStringConvertible {
    var description: String
}
