import Logging
import Synchronization

/// Remembers what was logged as an error.
final class ErrorCollector: LogHandler, Sendable {
    private let collected = Mutex<[String]>([])

    var messages: [String] { collected.withLock { $0 } }

    func forget() { collected.withLock { $0 = [] } }

    func log(event: LogEvent) {
        guard event.level >= .error else { return }
        collected.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") }
    }

    subscript(metadataKey _: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }

    var logLevel: Logger.Level {
        get { .error }
        set {}
    }
}
