import Foundation
import Wire

/// A file of records: a first line that names the format, then for each record its length (4 bytes, big endian) and the
/// record as a protobuf message.
enum TapRecording {
    static let head = Data("martlet-tap 1\n".utf8)
    static let recordBytesMax = 1 << 20
}

final class RecordingWriter {
    private let path: String
    private let file: FileHandle

    init(path: String) throws {
        self.path = path
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let file = FileHandle(forWritingAtPath: path)
        else { throw TapFailure(2, "\(path): cannot be written") }
        self.file = file
        try write(TapRecording.head)
    }

    func append(_ record: TapRecord) throws {
        let bytes = record.encoded()
        var frame = Data(withUnsafeBytes(of: UInt32(bytes.count).bigEndian) { Array($0) })
        frame.append(contentsOf: bytes)
        try write(frame)
    }

    private func write(_ data: Data) throws {
        do { try file.write(contentsOf: data) } catch { throw TapFailure(2, "\(path): \(error)") }
    }

    func close() throws { try file.close() }
}

struct RecordingReader {
    private let path: String
    private let file: FileHandle

    init(path: String) throws {
        self.path = path
        guard let file = FileHandle(forReadingAtPath: path) else { throw TapFailure(2, "\(path): cannot be read") }
        self.file = file
        guard try file.read(upToCount: TapRecording.head.count) == TapRecording.head else {
            throw TapFailure(2, "\(path): not a recording of martlet-tap")
        }
    }

    /// nil at the end; a record that was cut off by a crash ends the recording.
    mutating func next() throws -> TapRecord? {
        guard let head = try file.read(upToCount: 4), head.count == 4 else { return nil }
        let count = head.reduce(0) { $0 << 8 | Int($1) }
        guard count <= TapRecording.recordBytesMax else { throw TapFailure(2, "\(path): damaged") }
        let bytes = count == 0 ? Data() : try file.read(upToCount: count) ?? Data()
        guard bytes.count == count else { return nil }
        do { return try TapRecord(decoding: Array(bytes)) } catch { throw TapFailure(2, "\(path): damaged") }
    }
}
