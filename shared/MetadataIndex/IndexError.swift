/// RocksDB said no, or what it holds is not what this software wrote.
public struct IndexError: Error, Sendable, CustomStringConvertible {
    public enum Kind: Sendable {
        /// The files are there, but not as they were written, or not all of them, or they belong to another log: only a
        /// rebuild helps.
        case corruption
        /// Free some, then open again.
        case noSpace
        /// Somebody else has it open.
        case locked
        /// Reading or writing failed.
        case file
        case other
    }

    public let kind: Kind
    public let description: String

    /// With RocksDB's message.
    public init(_ description: String) {
        self.description = description
        kind = Self.kind(of: description)
    }

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    static func corruption(_ description: String) -> IndexError { IndexError(.corruption, description) }

    public var isCorruption: Bool { kind == .corruption }

    /// RocksDB's C interface tells the kind of an error only by its text.
    private static func kind(of message: String) -> Kind {
        if message.contains("No space left on device") || message.contains("Disk quota exceeded") { return .noSpace }
        if message.hasPrefix("IO error: lock ") || message.hasPrefix("IO error: While lock file") { return .locked }
        let corruptions = [
            "Corruption", "Invalid argument", "Not implemented", "IO error: No such file",
            "IO error: While open a file for random read", "Result incomplete",
        ]
        if corruptions.contains(where: message.hasPrefix) { return .corruption }
        if message.hasPrefix("IO error"), message.contains("No such file or directory") { return .corruption }
        return message.hasPrefix("IO error") ? .file : .other
    }
}
