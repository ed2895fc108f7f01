import Foundation
import TapRecordings
import Wire

/// Shows what passes the filter, line by line, up to a number of lines.
final class TapOutput {
    private let filter: TapFilter
    private let json: Bool
    private var left: Int?
    private let recording: RecordingWriter?
    private let write: (String) throws -> Void

    init(
        filter: TapFilter, json: Bool, limit: Int?, recording: RecordingWriter? = nil,
        write: @escaping (String) throws -> Void = TapOutput.standardOutput
    ) {
        self.filter = filter
        self.json = json
        left = limit
        self.recording = recording
        self.write = write
    }

    /// False when the last line was shown.
    func show(_ record: TapRecord) throws -> Bool {
        guard left != 0 else { return false }
        guard filter.admits(record) else { return true }
        try write(json ? TapLine.json(record) : TapLine.text(record))
        try recording?.append(record)
        left = left.map { $0 - 1 }
        return left != 0
    }

    func close() throws { try recording?.close() }

    /// One write for each line: whoever reads sees whole lines at once.
    static func standardOutput(_ line: String) throws {
        do { try FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8)) } catch { throw OutputClosed() }
    }
}

/// Whoever read our lines has gone away, as `head` does: no failure.
struct OutputClosed: Error {}
