import Foundation
import MessageBus
import Wire

/// How the process ends. Part of the interface: scripts rely on it.
public enum ExitStatus: Int32, Sendable {
    case done = 0
    /// The cluster refused or could not do it.
    case refused = 1
    case usage = 2
    /// No answer from the manager.
    case unreachable = 3
    /// `cluster health`: something is missing, all is served.
    case degraded = 4
    /// `cluster health`: something is not served, or one more failure may lose data.
    case critical = 5
}

/// The verb was done, and what it found decides how the process ends.
struct Finished: Error {
    var status: ExitStatus
}

/// Why a verb was not done.
struct Failure: Error, Equatable {
    var status: ExitStatus
    var message: String
    var asJSON = false

    init(_ status: ExitStatus, _ message: String, asJSON: Bool = false) {
        self.status = status
        self.message = message
        self.asJSON = asJSON
    }

    init(_ error: BusError, asJSON: Bool) {
        self.asJSON = asJSON
        switch error.status {
        case .unreachable, .deadlineExceeded:
            status = .unreachable
            message = "Could not connect: \(error.message.isEmpty ? "the manager does not answer" : error.message)"
        case .overloaded:
            status = .unreachable
            message = error.description
        default:
            status = .refused
            message = error.message.isEmpty ? "\(error.status)" : error.message
        }
    }

    /// "[ERROR] text" on standard error; with --json also {"error": text} on standard output.
    func report() {
        FileHandle.standardError.write(Data("[ERROR] \(message)\n".utf8))
        guard asJSON, let json = try? JSONEncoder().encode(["error": message]) else { return }
        FileHandle.standardOutput.write(json + Data("\n".utf8))
    }
}
