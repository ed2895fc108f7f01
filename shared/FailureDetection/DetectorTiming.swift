/// How patient a ``FailureDetector`` is. All times count from the last proof of life of a member.
public struct DetectorTiming: Sendable, Equatable {
    /// A heartbeat is missing: the member is asked directly.
    public var pingAfter: Duration
    /// Others are asked to ask it.
    public var relayAfter: Duration
    /// It is suspected.
    public var suspectAfter: Duration
    /// It is down.
    public var downAfter: Duration
    /// How late messages may be without a false alarm.
    public var delayMax: Duration
    /// Pause between two looks for a member that is down.
    public var downProbeInterval: Duration
    /// A longer pause between two ticks means that the observer itself stood still.
    public var pauseMax: Duration
    /// How many others are asked to ask a silent member, at one tick.
    public var relaysMax: Int
    /// Questions at one tick, about all members together.
    public var probesMax: Int

    /// Times in proportion to `downAfter`. With 3.5 s a member that dies is down within 5 s, and messages may take up to
    /// a second each without a false alarm.
    public init(downAfter: Duration = .milliseconds(3_500)) {
        self.downAfter = downAfter
        pingAfter = min(downAfter / 4, .milliseconds(750))
        relayAfter = min(downAfter / 3, .milliseconds(1_250))
        suspectAfter = downAfter / 2
        delayMax = .seconds(1)
        downProbeInterval = .seconds(1)
        pauseMax = .seconds(1)
        relaysMax = 3
        probesMax = 256
    }
}
