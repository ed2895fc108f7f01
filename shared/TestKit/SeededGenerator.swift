/// A random generator that gives the same numbers for the same seed everywhere (SplitMix64).
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// true with this probability.
    public mutating func chance(_ probability: Double) -> Bool {
        Double(next() >> 11) * 0x1p-53 < probability
    }

    /// A whole number of the range. Cheaper than `Int.random(in:using:)`; the bias of small ranges does not matter here.
    public mutating func number(_ range: Range<Int>) -> Int {
        range.lowerBound + Int(next() >> 1) % range.count
    }

    public mutating func pick<Element>(_ elements: [Element]) -> Element { elements[number(0..<elements.count)] }
}
