import Configuration
import Foundation
import Logging
import Model
import Observability
import Wire

/// What a process has before it reaches for the network: the manager and the processes that it enrols share this part.
public struct ProcessFoundation: Sendable {
    public let configuration: Configuration
    public let name: NodeName
    public let role: MemberRole
    public let directory: DataDirectory
    public let logger: Logger
    public let metrics: MetricsRegistry
    public let signals: TerminationSignals

    /// Reads the command line and the settings, installs logs and signal handling, locks the data directory. Ends the
    /// process when something is wrong: 78 for the configuration, 73 for the data directory.
    public static func prepare(role: MemberRole, name: String, settings: [any AnySetting]) -> ProcessFoundation {
        let configuration = ProcessOptions.parseOrExit().loadConfiguration(settings)
        let signals = TerminationSignals()
        MemoryTuning.apply()
        ThreadScheduling.apply()
        let given = configuration[CommonSettings.name]
        let nodeName = NodeName(given.isEmpty ? name : given)
        LogSetup.bootstrap(
            level: Logger.Level(rawValue: configuration[CommonSettings.logLevel]) ?? .info,
            format: LogFormat(rawValue: configuration[CommonSettings.logFormat]) ?? .json, node: nodeName.rawValue)
        let logger = Logger(label: "martlet.\(role.word)")
        guard nodeName.isValid else { fail(logger, 78, "node.name: \"\(nodeName)\" is not a valid name") }
        let path = configuration[CommonSettings.data]
        guard !path.isEmpty else { fail(logger, 78, "node.data: a data directory is required") }
        do throws(DataDirectory.Refused) {
            let directory = try DataDirectory(path: path, role: role.word)
            let metrics = MetricsRegistry()
            ProcessMetrics.register(in: metrics, role: role.word, name: nodeName.rawValue)
            return ProcessFoundation(
                configuration: configuration, name: nodeName, role: role, directory: directory, logger: logger,
                metrics: metrics, signals: signals)
        } catch {
            fail(logger, 73, error.description)
        }
    }

    private static func fail(_ logger: Logger, _ status: Int32, _ message: String) -> Never {
        logger.critical("\(message)")
        exit(status)
    }

    /// Starts, waits for SIGTERM or SIGINT (also while it starts), stops within the deadline, and exits 0; 1 when the
    /// start fails or the stop takes too long.
    public func run(
        start: @escaping @Sendable () async throws -> Void, stop: @escaping @Sendable () async -> Void
    ) async -> Never {
        logger.info("starting", metadata: ["version": "\(Version.current)", "pid": "\(getpid())"])
        let starting = Task {
            do {
                try await start()
                logger.info("running")
            } catch  where !Task.isCancelled {
                logger.critical("cannot start", metadata: ["error": "\(error)"])
                exit(1)
            }
        }
        await signals.wait()
        logger.info("stopping")
        abandonAfterDeadline()
        starting.cancel()
        _ = try? await starting.value
        await stop()
        logger.info("stopped")
        exit(0)
    }

    /// A thread of its own: it must work even when every task hangs.
    private func abandonAfterDeadline() {
        let (seconds, attoseconds) = configuration[CommonSettings.stopTimeout].components
        let deadline = Double(seconds) + Double(attoseconds) / 1e18
        let logger = logger
        Thread.detachNewThread {
            Thread.sleep(forTimeInterval: deadline)
            logger.error("did not stop in time: giving up", metadata: ["seconds": "\(deadline)"])
            _exit(1)
        }
    }
}
