import ClusterState
import Foundation
import Logging
import MessageBus
import Model
import Observability
import Ring
import Wire

/// The verbs that every process understands.
public struct CommonCommands: Sendable {
    /// Whom the commands are about.
    public struct Subject: Sendable {
        var name: NodeName
        var role: MemberRole
        var logger: Logger
        var bus: MessageBus
        var cluster: any ClusterViewing
        var dataDirectory: String

        public init(
            name: NodeName, role: MemberRole, logger: Logger, bus: MessageBus, cluster: any ClusterViewing,
            dataDirectory: String
        ) {
            self.name = name
            self.role = role
            self.logger = logger
            self.bus = bus
            self.cluster = cluster
            self.dataDirectory = dataDirectory
        }
    }

    public typealias OwnCommand = @Sendable (String, [String]) async throws -> [UInt8]?

    private let context: Subject
    private let own: OwnCommand
    private let started = Date()

    /// - Parameter own: The verbs of this process alone; see ``ProcessService/command(_:_:)``.
    public init(_ subject: Subject, own: @escaping OwnCommand = { _, _ in nil }) {
        context = subject
        self.own = own
    }

    init(_ context: ProcessContext, service: any ProcessService) {
        self.init(
            Subject(
                name: context.name, role: context.role, logger: context.logger, bus: context.bus,
                cluster: context.cluster, dataDirectory: context.dataDirectory),
            own: { try await service.command($0, $1) })
    }

    /// JSON; nil: unknown verb.
    public func run(_ verb: String, _ arguments: [String]) async throws -> [UInt8]? {
        let own = try await own(verb, arguments)
        if verb == "status" { return try status(adding: own) }
        if let own { return own }
        switch verb {
        case "version": return try Self.json(["name": context.name.rawValue, "version": Version.current])
        case "update-log-level": return try updateLogLevel(arguments)
        case "dump-ring": return try dumpRing()
        case "recover-ring": return try await recoverRing()
        default: return nil
        }
    }

    private func status(adding own: [UInt8]?) throws -> [UInt8] {
        let view = context.cluster.view
        let memory = ProcessMetrics.memory(pid: getpid())
        var fields: [String: Any] = [
            "name": context.name.rawValue, "role": context.role.word, "version": Version.current, "pid": Int(getpid()),
            "started_milliseconds": Int(started.timeIntervalSince1970 * 1000),
            "uptime_seconds": Int(Date().timeIntervalSince(started)),
            "data_directory": context.dataDirectory, "bus_address": context.bus.address,
            "publisher_address": context.bus.publisherAddress, "log_level": LogSetup.level.rawValue,
            "revision": view.revision, "epoch": view.epoch, "ring_hash": view.ring?.hashText ?? "",
            "resident_bytes": memory?.residentBytes ?? 0, "resident_peak_bytes": memory?.peakBytes ?? 0,
            "cpu_seconds": ProcessMetrics.cpuSeconds(pid: getpid()) ?? 0,
        ]
        if let own, let added = try JSONSerialization.jsonObject(with: Data(own)) as? [String: Any] {
            fields.merge(added) { _, new in new }
        }
        return try Self.json(fields)
    }

    private func updateLogLevel(_ arguments: [String]) throws -> [UInt8] {
        guard let word = arguments.last, let level = LogLevelWord.level(word) else {
            throw BusError(.invalidArgument, "levels: \(LogLevelWord.all)")
        }
        LogSetup.level = level
        context.logger.notice("log level changed", metadata: ["to": "\(level)"])
        return try Self.json(["log_level": level.rawValue])
    }

    /// Pulls the ring from a manager now, whatever the process believes to have.
    private func recoverRing() async throws -> [UInt8] {
        try await context.cluster.refresh()
        let view = context.cluster.view
        return try Self.json([
            "result": "OK", "revision": view.revision, "epoch": view.epoch, "ring_hash": view.ring?.hashText ?? "",
        ])
    }

    private func dumpRing() throws -> [UInt8] {
        guard let ring = context.cluster.view.ring else { throw BusError(.unavailable, "no ring yet") }
        let partitions: [[String: Any]] = ring.partitions.enumerated().map { index, replicas in
            [
                "partition": index, "nodes": replicas.current.map(\.rawValue),
                "next": replicas.next.map(\.rawValue), "epoch": replicas.epoch,
            ]
        }
        return try Self.json(["epoch": ring.epoch, "ring_hash": ring.hashText, "partitions": partitions])
    }

    private static func json(_ fields: [String: Any]) throws -> [UInt8] {
        Array(try JSONSerialization.data(withJSONObject: fields, options: [.sortedKeys, .withoutEscapingSlashes]))
    }
}

/// Names of log levels: those of swift-log, and the predecessor's.
public enum LogLevelWord {
    public static let all = "trace, debug, info, notice, warning (warn), error, critical (fatal)"

    public static func level(_ word: String) -> Logger.Level? {
        switch word.lowercased() {
        case "warn": .warning
        case "fatal": .critical
        case let name: Logger.Level(rawValue: name)
        }
    }
}
