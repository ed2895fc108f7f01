import Foundation
import MetadataIndex
import ObjectLog

/// Writes the report of one disk: a line for each record, in the order of the log.
struct DiagnosisWriter {
    private static let linesPerStep = 4096

    let disk: DiskReplica
    let path: String

    /// `proceed` is told now and then what was counted so far, and says false when the rest is not wanted. Returns whether
    /// the report is whole.
    @discardableResult
    func run(_ proceed: (DiagnosisSummary) -> Bool) throws -> Bool {
        let output = try ReportFile(path)
        try output.write(DiagnosisRow.header + "\n")
        var summary = DiagnosisSummary()
        for segment in disk.log.segments {
            guard try write(segment.number, to: output, &summary, proceed) else { return false }
            summary.segments += 1
        }
        try output.close()
        return proceed(summary)
    }

    private func write(
        _ segment: UInt32, to output: ReportFile, _ summary: inout DiagnosisSummary,
        _ proceed: (DiagnosisSummary) -> Bool
    ) throws -> Bool {
        do {
            let reader = try disk.log.reader(of: segment)
            var lines = ""
            var count = 0
            while let item = try reader.next() {
                let row: DiagnosisRow
                switch item {
                case .record(let record): row = try DiagnosisRow(record, index: disk.index)
                case .damage(let damage): row = DiagnosisRow(damage)
                }
                summary.add(row)
                lines += row.line + "\n"
                count += 1
                guard count % Self.linesPerStep == 0 else { continue }
                try output.write(lines)
                lines = ""
                guard proceed(summary) else { return false }
            }
            try output.write(lines)
            return proceed(summary)
        } catch let error as ObjectLogError where !disk.log.segments.contains(where: { $0.number == segment }) {
            // Compaction has removed it: its records stand further behind.
            disk.logger.debug("a segment left during the diagnosis", metadata: ["error": "\(error)"])
            return true
        }
    }
}

/// A file that is written from its beginning to its end.
private final class ReportFile {
    private let handle: FileHandle

    init(_ path: String) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o640]),
            let handle = FileHandle(forWritingAtPath: path)
        else { throw StorageError.unavailable("\(path) cannot be made") }
        self.handle = handle
    }

    func write(_ text: String) throws { try handle.write(contentsOf: Data(text.utf8)) }
    func close() throws { try handle.close() }
}
