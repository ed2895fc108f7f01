/// A file operation failed; `code` is the system's errno.
public struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
    public let operation: String
    public let path: String
    public let code: Int32

    public init(_ operation: String, _ path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    public var description: String { "\(operation) \(path): \(systemErrorText(code))" }
}

/// Why the log cannot do what was asked.
public enum ObjectLogError: Error, Sendable, Equatable, CustomStringConvertible {
    /// No room for another segment. Reads go on; appends may succeed again when space is free.
    case diskFull
    /// A write or sync failed: nothing is accepted any more, for good. Only a restart (which recovers) ends this.
    case readOnly(String)
    case stopped
    /// Another process has the directory.
    case locked(String)
    /// The directory belongs to another node, or is no object log.
    case foreign(String)
    /// Written by a newer version of this software.
    case newerFormat(String)
    /// The bytes at this position are not the record that was written there.
    case damaged(LogPosition, String)
    case recordTooLarge(Int)
    /// The segment was removed: what was live in it stands elsewhere.
    case removed(UInt32)
    /// Only a sealed segment, whose footer is synced, can be removed.
    case inUse(UInt32)
    case file(FileError)

    public var description: String {
        switch self {
        case .diskFull: "the disk is full"
        case .readOnly(let reason): "the log is read-only: \(reason)"
        case .stopped: "the log is stopped"
        case .locked(let path): "\(path) is in use by another process"
        case .foreign(let reason), .newerFormat(let reason): reason
        case .damaged(let position, let reason): "damaged record at \(position): \(reason)"
        case .recordTooLarge(let size): "a record of \(size) bytes does not fit into a segment"
        case .removed(let segment): "segment \(segment) was removed"
        case .inUse(let segment): "segment \(segment) is still written to"
        case .file(let error): error.description
        }
    }
}
