import Foundation
import Wire

/// A file of what a tap heard: a first line that names the format, then for each record its length (4 bytes, big endian)
/// and the record as a protobuf message. `martlet-tap` writes it; it reads it, and so does `martlet-load`.
enum TapRecording {
    static let head = Data("martlet-tap 1\n".utf8)
    static let recordBytesMax = 1 << 20
}

/// Why a recording cannot be written or read.
public struct RecordingError: Error, Equatable, CustomStringConvertible {
    /// Names the file.
    public let description: String

    init(_ path: String, _ reason: String) { description = "\(path): \(reason)" }
}

/// Appends records to a new file.
public final class RecordingWriter {
    private let path: String
    private let file: FileHandle

    /// Replaces the file that is there.
    public init(path: String) throws {
        self.path = path
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let file = FileHandle(forWritingAtPath: path)
        else { throw RecordingError(path, "cannot be written") }
        self.file = file
        try write(TapRecording.head)
    }

    public func append(_ record: TapRecord) throws {
        let bytes = record.encoded()
        var frame = Data(withUnsafeBytes(of: UInt32(bytes.count).bigEndian) { Array($0) })
        frame.append(contentsOf: bytes)
        try write(frame)
    }

    private func write(_ data: Data) throws {
        do { try file.write(contentsOf: data) } catch { throw RecordingError(path, "\(error)") }
    }

    public func close() throws { try file.close() }
}

/// Reads records in the order in which they were written.
public struct RecordingReader {
    private let path: String
    private let file: FileHandle

    public init(path: String) throws {
        self.path = path
        guard let file = FileHandle(forReadingAtPath: path) else { throw RecordingError(path, "cannot be read") }
        self.file = file
        guard try file.read(upToCount: TapRecording.head.count) == TapRecording.head else {
            throw RecordingError(path, "not a recording of martlet-tap")
        }
    }

    /// nil at the end; a record that was cut off by a crash ends the recording.
    public mutating func next() throws -> TapRecord? {
        guard let head = try file.read(upToCount: 4), head.count == 4 else { return nil }
        let count = head.reduce(0) { $0 << 8 | Int($1) }
        guard count <= TapRecording.recordBytesMax else { throw RecordingError(path, "damaged") }
        let bytes = count == 0 ? Data() : try file.read(upToCount: count) ?? Data()
        guard bytes.count == count else { return nil }
        do { return try TapRecord(decoding: Array(bytes)) } catch { throw RecordingError(path, "damaged") }
    }
}
