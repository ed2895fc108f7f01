/// Whether a client takes its answer: what has left for the socket counts, a step at a time, so that nobody holds a connection
/// by taking a byte now and then.
struct SendProgress {
    static let step: UInt64 = 128 << 10

    /// Bytes that had left at the last step.
    private var mark: UInt64 = 0

    /// - Parameters:
    ///   - handedOver: bytes that the channel was given so far.
    ///   - buffered: those of them that it still has.
    /// - Returns: whether a step was made since it was asked last.
    mutating func hasAdvanced(handedOver: UInt64, buffered: UInt64) -> Bool {
        let gone = handedOver - min(buffered, handedOver)
        guard gone >= mark + Self.step else { return false }
        mark = gone
        return true
    }
}
