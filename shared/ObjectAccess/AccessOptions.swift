/// Times and bounds of the clients of this library. The defaults suit a cluster in one building.
public struct AccessOptions: Sendable {
    /// How long one request of a round may take. After it the round is tried again with a higher ballot, or, when it
    /// has succeeded, the silent replicas are noted in hints.
    public var attemptTimeout: Duration = .milliseconds(1500)
    /// How long one operation may take over all its attempts, waiting for its turn at the key included: who asks on the side of
    /// a minority knows after five seconds that there is no quorum.
    public var operationTimeout: Duration = .milliseconds(4500)
    /// The part of all reads that may be sent to a replica more because another one takes longer than most answers did lately.
    public var hedgeShare = 0.05
    /// After this time without an answer a read asks further replicas in any case, unless most answers take half as long anyway.
    public var slowAfter: Duration = .milliseconds(100)
    /// A replica that failed or was slow is asked last until it has answered in good time; after this time one read tries it.
    public var avoidFor: Duration = .seconds(2)
    public var chunkTimeout: Duration = .milliseconds(4500)
    /// Bytes of large content on their way to replicas at a time: half of what the bus takes to one peer.
    public var contentInFlightMax = 32 << 20
    /// How long large content waits for room on that way before it is refused. Its client waits as long.
    public var contentPatience: Duration = .seconds(30)
    /// Operations that may wait for their turn at one key.
    public var waitersPerKeyMax = 128
    /// Hints that wait to be sent, per node; beyond it they are dropped and left to anti-entropy.
    public var hintsPendingMax = 10_000
    public var hintDelay: Duration = .milliseconds(20)
    /// Large content is read where storage nodes of the same machine have it.
    public var shortCircuitReads = false
    /// Registers that one listing settles at a time.
    public var settlingMax = 16

    public init() {}

    var hedging: HedgePolicy.Options {
        var hedging = HedgePolicy.Options()
        hedging.share = hedgeShare
        hedging.delayAtFirst = slowAfter
        hedging.delayMax = max(hedging.delayMax, slowAfter)
        return hedging
    }

    /// Chunks take longer than small answers.
    var chunkHedging: HedgePolicy.Options {
        var hedging = hedging
        hedging.delayMin = .milliseconds(5)
        hedging.delayAtFirst = slowAfter * 3
        return hedging
    }
}
