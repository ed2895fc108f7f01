import Foundation
import Logging
import Synchronization

/// How log lines look.
public enum LogFormat: String, Sendable {
    /// One JSON object a line.
    case json
    /// For people at a terminal.
    case text
}

/// Installs the log backend of a process: lines to standard error, one write each.
public enum LogSetup {
    private static let levelIndex = Atomic<Int>(index(of: .info))

    /// Call once, before the first logger is made.
    public static func bootstrap(level: Logger.Level, format: LogFormat, node: String = "") {
        self.level = level
        LoggingSystem.bootstrap { label in
            LineLogHandler(label: label, format: format, node: node, write: writeToStandardError)
        }
    }

    /// The least level that is written, for all loggers that have no level of their own. Changeable at run time.
    public static var level: Logger.Level {
        get { Logger.Level.allCases[levelIndex.load(ordering: .relaxed)] }
        set { levelIndex.store(index(of: newValue), ordering: .relaxed) }
    }

    private static func index(of level: Logger.Level) -> Int { Logger.Level.allCases.firstIndex(of: level) ?? 0 }

    private static func writeToStandardError(_ line: String) {
        var line = line
        line.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let count = write(2, rest.baseAddress, rest.count)
                if count < 0 {
                    if errno == EINTR { continue }
                    return
                }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
            }
        }
    }
}

extension Logger {
    /// A copy whose lines carry the id of the client's request.
    public func with(requestID: String) -> Logger {
        var copy = self
        copy[metadataKey: "request_id"] = "\(requestID)"
        return copy
    }
}
