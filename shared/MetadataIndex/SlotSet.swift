import Checksums
import Model

/// Some of the 256 slots into which a node cuts its keys; a disk holds the keys of some slots.
public struct SlotSet: Sendable, Hashable {
    public static let count = 256
    private static let wordCount = count / 64

    private var words: [UInt64]

    /// None.
    public init() { words = Array(repeating: 0, count: Self.wordCount) }

    public init(_ slots: some Sequence<Int>) {
        self.init()
        for slot in slots { insert(slot) }
    }

    public static let all = SlotSet(0..<count)

    /// From 32 bytes; the lowest bit of the first is slot 0.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.count / 8 else { return nil }
        self.init()
        for (number, byte) in bytes.enumerated() { words[number / 8] |= UInt64(byte) << (number % 8 * 8) }
    }

    public var bytes: [UInt8] {
        words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
    }

    /// The slot of a register (its index key) or of a chunk (its ring key).
    public static func slot(ofKey key: [UInt8]) -> Int { Int(crc32c(key)) % count }

    public mutating func insert(_ slot: Int) { words[slot / 64] |= 1 << (slot % 64) }
    public mutating func remove(_ slot: Int) { words[slot / 64] &= ~(1 << (slot % 64)) }
    public func contains(_ slot: Int) -> Bool { words[slot / 64] & 1 << (slot % 64) != 0 }
    public var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

    /// In order.
    public var slots: [Int] { (0..<Self.count).filter(contains) }
}

/// For each slot, before which position of the log nothing can be trusted.
///
/// A doubt and the word that it is settled may be met in any order, and more than once.
struct SlotDoubts: Sendable, Equatable {
    /// 0: no doubt.
    private var doubted: [UInt64]
    /// Doubts up to here are settled.
    private var trusted: [UInt64]
    /// The highest that is not settled; 0: none.
    private(set) var highest: UInt64 = 0

    init() {
        doubted = Array(repeating: 0, count: SlotSet.count)
        trusted = doubted
    }

    mutating func doubt(before position: UInt64, _ slots: SlotSet) {
        for slot in slots.slots { doubted[slot] = max(doubted[slot], position) }
        settle()
    }

    mutating func trust(before position: UInt64, _ slots: SlotSet) {
        for slot in slots.slots { trusted[slot] = max(trusted[slot], position) }
        settle()
    }

    func position(ofSlot slot: Int) -> UInt64 { doubted[slot] > trusted[slot] ? doubted[slot] : 0 }

    /// Of all slots, what was doubted least, settled or not.
    var throughout: UInt64 { doubted.min() ?? 0 }

    /// The slots that share a position, the lowest position first.
    var groups: [(slots: SlotSet, before: UInt64)] {
        var groups: [UInt64: SlotSet] = [:]
        for slot in 0..<SlotSet.count where position(ofSlot: slot) != 0 {
            groups[position(ofSlot: slot), default: SlotSet()].insert(slot)
        }
        return groups.sorted { $0.key < $1.key }.map { ($0.value, $0.key) }
    }

    private mutating func settle() { highest = (0..<SlotSet.count).map { position(ofSlot: $0) }.max() ?? 0 }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        for number in doubted + trusted { bytes.appendNumber(number) }
        return bytes
    }

    init?(decoding bytes: UnsafeRawBufferPointer) {
        self.init()
        var reader = ByteReader(bytes)
        for slot in 0..<SlotSet.count {
            guard let number: UInt64 = reader.number() else { return nil }
            doubted[slot] = number
        }
        for slot in 0..<SlotSet.count {
            guard let number: UInt64 = reader.number() else { return nil }
            trusted[slot] = number
        }
        settle()
    }
}
