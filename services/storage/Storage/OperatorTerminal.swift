import ArgumentParser
import Foundation

/// What commands say to the person at the terminal: on standard error, so that scripts can read the rest.
enum OperatorTerminal {
    static func tell(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }

    /// Says why a command ends, and with which exit status.
    static func failure(_ status: Int32, _ message: String) -> ExitCode {
        tell(message)
        return ExitCode(status)
    }
}
