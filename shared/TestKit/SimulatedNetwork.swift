/// What a network does to messages.
public struct NetworkFaults: Sendable {
    /// Probability that a message is lost.
    public var loss: Double
    /// Probability that it arrives twice.
    public var duplication: Double
    /// Usual delay in microseconds. Messages overtake each other within it.
    public var delay: Range<Int>
    /// Probability that it takes up to `lateMax` instead.
    public var lateness: Double
    public var lateMax: Int

    public init(
        loss: Double = 0, duplication: Double = 0, delay: Range<Int> = 100..<1000, lateness: Double = 0,
        lateMax: Int = 100_000
    ) {
        self.loss = loss
        self.duplication = duplication
        self.delay = delay
        self.lateness = lateness
        self.lateMax = lateMax
    }

    public static let none = NetworkFaults()
}

/// Delivers messages (closures) after a delay, or not, or twice, or long after.
public final class SimulatedNetwork<Address: Hashable> {
    public var faults: NetworkFaults
    /// Nothing passes to or from these.
    public var isolated = Set<Address>()

    private let scheduler: SimulatedScheduler
    private var random: SeededGenerator

    public init(scheduler: SimulatedScheduler, faults: NetworkFaults, seed: UInt64) {
        self.scheduler = scheduler
        self.faults = faults
        random = SeededGenerator(seed: seed)
    }

    /// Returns false when the sender knows at once that the receiver cannot be reached.
    /// - Parameter atMostOnce: it may be lost, but does not arrive twice.
    @discardableResult
    public func send(
        from: Address, to: Address, atMostOnce: Bool = false, _ deliver: @escaping () -> Void
    ) -> Bool {
        if !isolated.isEmpty, isolated.contains(from) || isolated.contains(to) { return false }
        if random.chance(faults.loss) { return true }
        post(to, deliver)
        if random.chance(faults.duplication), !atMostOnce { post(to, deliver) }
        return true
    }

    private func post(_ to: Address, _ deliver: @escaping () -> Void) {
        let delay = random.chance(faults.lateness) ? random.number(0..<faults.lateMax) : random.number(faults.delay)
        scheduler.after(delay) { [unowned self] in
            if isolated.isEmpty || !isolated.contains(to) { deliver() }
        }
    }
}
