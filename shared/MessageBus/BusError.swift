import Wire

/// Why a request has no answer. Whoever asks again must be prepared that the first request took effect, except after
/// `overloaded`, `forbidden`, `unknownType` and the other refusals that say that nothing was done.
public struct BusError: Error, Sendable, Equatable, CustomStringConvertible {
    public var status: Status
    public var message: String
    /// Ring epoch of the peer that refused; 0 when no peer answered.
    public var epoch: UInt64

    public init(_ status: Status, _ message: String, epoch: UInt64 = 0) {
        self.status = status
        self.message = message
        self.epoch = epoch
    }

    public var description: String { message.isEmpty ? "\(status)" : "\(status): \(message)" }
}
