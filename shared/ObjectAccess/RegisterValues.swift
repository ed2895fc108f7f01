import Checksums
import Model
import NIOCore
import Register
import Wire

/// What a caller of ``RegisterClient/update(_:deleting:staged:operation:context:change:)`` wants to do with the state that it is shown.
public enum Change: Sendable {
    case write(StoredRecord)
    /// Change nothing, but answer from a decided state.
    case keep
    /// Change nothing, but decide the state again, under the ballot of this round. A register that was never written
    /// has nothing to decide.
    case confirm
    /// A condition does not hold: ``AccessError/refused(_:)`` with this error, once the state is known to be decided.
    case refuse(any Error)
}

/// A register as a quorum of its replicas has it.
public struct RegisterSnapshot: Sendable {
    /// A decided state; nil: the register was never written.
    public var state: RegisterState<StoredRecord>?
    /// The content, when it was asked for and is stored beside the register.
    public var blob: ByteBuffer?

    public init(state: RegisterState<StoredRecord>?, blob: ByteBuffer? = nil) {
        self.state = state
        self.blob = blob
    }

    /// The record, unless it is a tombstone or was never written.
    public var liveRecord: StoredRecord? { state.flatMap { $0.isLive ? $0.record : nil } }
}

/// A register that was decided anew.
public struct ConfirmedRegister: Sendable {
    public var state: RegisterState<StoredRecord>
    /// Replicas that are known to have it.
    public var holders: [NodeName]
}

/// How an update ended.
public struct UpdateResult: Sendable {
    /// The decided state. nil: nothing was written and the register never was.
    public var state: RegisterState<StoredRecord>?
    /// What the change was made from. Unknown (nil) also when a former attempt turned out to have taken effect.
    public var previous: RegisterState<StoredRecord>?
    /// Whether the operation wrote (in this or a former attempt).
    public var written: Bool
}

/// Content that travels with its register: at most `Limits.chunkSize` bytes.
public struct StagedBlob: Sendable {
    public let id: BlobID
    public let bytes: ByteBuffer
    let checksum: UInt32

    public init(id: BlobID, bytes: ByteBuffer) {
        precondition(bytes.readableBytes <= Limits.chunkSize, "larger content is cut into chunks")
        self.id = id
        self.bytes = bytes
        checksum = crc32c(bytes)
    }
}
