import ArgumentParser
import Foundation
import Model
import ObjectLog

/// `martlet-storage inspect`: looks into the directory of a disk without a node.
public struct InspectCommand: ParsableCommand {
    public static let verb = "inspect"

    public static let configuration = CommandConfiguration(
        commandName: "martlet-storage inspect",
        abstract: "Lists the segments of a disk's object log, dumps a record, verifies everything.",
        discussion: """
            Nothing is changed. Exit status: 0 healthy, 1 damage was found, 2 the directory cannot be read or is in use.

            EXAMPLE: martlet-storage inspect /data/1 --verify
            """)

    @Argument(help: "A disk of a storage node, or its log directory.")
    public var directory: String
    @Flag(help: "Read every byte and check every checksum.")
    public var verify = false
    @Option(help: ArgumentHelp("Dump the record that begins there.", valueName: "segment:offset"))
    public var record: String?
    @Flag(help: "Read beside a running node. What it writes meanwhile may look like an interrupted write.")
    public var running = false
    @Flag(help: "Print JSON.")
    public var json = false

    public init() {}

    public func run() throws {
        do {
            let files = try RealDirectory(try logPath())
            if !running {
                guard try files.lock() else {
                    throw OperatorTerminal.failure(
                        2, "\(files.path) is in use by a running node: stop it, or add --running")
                }
            }
            defer { files.unlock() }
            let log = try LogInspection(files)
            if let record { return try dump(record, log) }
            try list(log)
        } catch let error as ExitCode { throw error } catch { throw OperatorTerminal.failure(2, "\(error)") }
    }

    private func logPath() throws -> String {
        for path in [directory + "/log", directory] where FileManager.default.fileExists(atPath: path + "/owner") {
            return path
        }
        throw OperatorTerminal.failure(2, "\(directory) is not the directory of an object log")
    }

    // MARK: - Segments

    private func list(_ log: LogInspection) throws {
        var found = LogVerification(log)
        if verify {
            var last = ContinuousClock.now
            try found.verify(log) { read, all in
                guard ContinuousClock.now - last >= .seconds(1) else { return }
                last = .now
                OperatorTerminal.tell("\(read >> 20) of \(all >> 20) MiB read")
            }
        }
        print(json ? try Self.encoded(found) : Self.text(found))
        if !found.isHealthy { throw ExitCode(1) }
    }

    static func text(_ found: LogVerification) -> String {
        var lines = ["node \(found.node), disk \(found.disk)"]
        for segment in found.segments {
            var line = "segment \(segment.number)  \(segment.state)  \(segment.size) bytes"
            if let records = segment.records, let bytes = segment.bytes, let damages = segment.damages {
                line += "  \(records) records of \(bytes) bytes"
                if damages > 0 { line += "  \(damages) damaged" }
            }
            lines.append(line)
        }
        for damage in found.damages {
            lines.append(
                "DAMAGE \(damage.kind) at \(damage.position), \(damage.size) bytes"
                    + (damage.what.map { ": \($0)" } ?? ""))
        }
        if let position = found.interruptedAt {
            lines.append("an interrupted write at \(position): the next start cuts it off")
        }
        let verdict = found.isVerified ? "every byte was read" : "contents were not read: add --verify"
        lines.append((found.isHealthy ? "healthy" : "damaged") + " (\(verdict))")
        return lines.joined(separator: "\n")
    }

    // MARK: - One record

    private func dump(_ text: String, _ log: LogInspection) throws {
        let numbers = text.split(separator: ":", omittingEmptySubsequences: false)
        guard numbers.count == 2, let segment = UInt32(numbers[0]), let offset = UInt32(numbers[1]) else {
            throw OperatorTerminal.failure(2, "--record: expected SEGMENT:OFFSET, as 12:4096")
        }
        let position = LogPosition(segment: segment, offset: offset)
        guard let size = log.segments.first(where: { $0.number == segment })?.size else {
            throw OperatorTerminal.failure(2, "there is no segment \(segment)")
        }
        guard offset % 8 == 0, Int(offset) < size,
            case .record(let record)? = try log.reader(of: segment, from: Int(offset)).next(),
            record.position == position
        else {
            OperatorTerminal.tell("no record begins at \(position)")
            throw ExitCode(1)
        }
        let fields = RecordHead(type: record.type, head: record.head).map(RecordDescription.fields) ?? []
        let common = [
            ("position", "\(position)"), ("record_size", "\(record.recordSize)"), ("type_number", "\(record.type)"),
            ("payload_size", "\(record.payload.readableBytes)"), ("payload_intact", "\(record.payloadIntact)"),
        ]
        if json {
            print(try Self.encoded(Dictionary(common + fields) { $1 }))
        } else {
            print((common + fields).map { "\($0): \($1)" }.joined(separator: "\n"))
        }
        if !record.payloadIntact { throw ExitCode(1) }
    }

    private static func encoded(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
