import Model
import NIOCore
import Wire

/// A message that a peer published. It only wakes: whatever matters can be pulled again.
public struct Publication: Sendable {
    public var type: MessageType
    public var sender: NodeName
    public var epoch: UInt64
    /// Counts the publications of this type by this publisher.
    public var sequence: UInt64
    /// Publications of this type that were lost before this one; at least 1 when the publisher restarted.
    public var missed: UInt64
    public var body: ByteBuffer

    public init(
        type: MessageType, sender: NodeName, epoch: UInt64 = 0, sequence: UInt64, missed: UInt64 = 0, body: ByteBuffer
    ) {
        self.type = type
        self.sender = sender
        self.epoch = epoch
        self.sequence = sequence
        self.missed = missed
        self.body = body
    }
}

/// Ends a subscription: see ``MessageBus/unsubscribe(_:)``.
public struct SubscriptionToken: Hashable, Sendable {
    let id: UInt64
}
