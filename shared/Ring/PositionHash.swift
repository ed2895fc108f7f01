import Model

/// SipHash-2-4 with 128 bits of output: the position of a key on the ring.
///
/// Keyed, so that nobody outside can choose keys that fall into one partition. See Aumasson & Bernstein (2012).
public struct PositionHash: Sendable, Equatable {
    private let k0: UInt64
    private let k1: UInt64

    /// nil unless the key has 16 bytes.
    public init?(key: [UInt8]) {
        guard key.count == 16 else { return nil }
        k0 = Self.word(key[0..<8])
        k1 = Self.word(key[8..<16])
    }

    /// The two halves of the output in the order of its bytes, each read as a little-endian number.
    public func hash(_ bytes: [UInt8]) -> (first: UInt64, second: UInt64) {
        bytes.withUnsafeBytes { buffer in
            var state = State(k0: k0, k1: k1)
            let whole = buffer.count & ~7
            var offset = 0
            while offset < whole {
                state.absorb(UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
                offset += 8
            }
            var last = UInt64(truncatingIfNeeded: buffer.count) << 56
            for index in whole..<buffer.count { last |= UInt64(buffer[index]) << UInt64(8 * (index - whole)) }
            state.absorb(last)
            return state.finish()
        }
    }

    /// The top 64 bits of the position, big endian: enough to find the partition.
    public func position(_ bytes: [UInt8]) -> UInt64 { hash(bytes).first.byteSwapped }

    private static func word(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private struct State {
        var v0, v1, v2, v3: UInt64

        init(k0: UInt64, k1: UInt64) {
            v0 = k0 ^ 0x736f_6d65_7073_6575
            v1 = k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee
            v2 = k0 ^ 0x6c79_6765_6e65_7261
            v3 = k1 ^ 0x7465_6462_7974_6573
        }

        mutating func absorb(_ word: UInt64) {
            v3 ^= word
            round()
            round()
            v0 ^= word
        }

        mutating func finish() -> (first: UInt64, second: UInt64) {
            v2 ^= 0xee
            for _ in 0..<4 { round() }
            let first = v0 ^ v1 ^ v2 ^ v3
            v1 ^= 0xdd
            for _ in 0..<4 { round() }
            return (first, v0 ^ v1 ^ v2 ^ v3)
        }

        mutating func round() {
            v0 &+= v1
            v2 &+= v3
            v1 = rotated(v1, 13) ^ v0
            v3 = rotated(v3, 16) ^ v2
            v0 = rotated(v0, 32)
            v2 &+= v1
            v0 &+= v3
            v1 = rotated(v1, 17) ^ v2
            v3 = rotated(v3, 21) ^ v0
            v2 = rotated(v2, 32)
        }

        func rotated(_ word: UInt64, _ count: UInt64) -> UInt64 { word << count | word >> (64 - count) }
    }
}
