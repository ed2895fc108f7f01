import MetadataIndex
import ObjectLog
import Wire

/// Why the engine did not do what it was asked. Nothing was changed, except after `failed`: then nobody knows.
public enum StorageError: Error, Sendable, Equatable, CustomStringConvertible {
    /// There is, or may be, something for this key that cannot be read.
    case abstained(String)
    case notFound(String)
    case diskFull
    /// The disk takes nothing any more, or not yet.
    case unavailable(String)
    /// A write that was under way when the disk failed.
    case failed(String)
    /// The request makes no sense, or its payload does not match its checksum.
    case malformed(String)
    case overloaded
    /// The slot is another disk's: the engine asks that one. Nobody outside sees it.
    case moved

    init(_ error: any Error) {
        switch error {
        case let error as StorageError: self = error
        case ObjectLogError.diskFull: self = .diskFull
        case let error as ObjectLogError:
            switch error {
            case .damaged: self = .abstained(error.description)
            case .recordTooLarge: self = .malformed(error.description)
            default: self = .unavailable(error.description)
            }
        default: self = .unavailable("\(error)")
        }
    }

    /// How the bus says it.
    public var status: Status {
        switch self {
        case .abstained: .abstained
        case .notFound: .notFound
        case .diskFull: .diskFull
        case .unavailable: .unavailable
        case .failed: .internalError
        case .malformed: .malformed
        case .overloaded, .moved: .overloaded
        }
    }

    public var description: String {
        switch self {
        case .abstained(let reason), .notFound(let reason), .unavailable(let reason), .failed(let reason),
            .malformed(let reason):
            reason
        case .diskFull: "the disk is full"
        case .overloaded: "too much work is waiting"
        case .moved: "the slot is another disk's"
        }
    }
}
