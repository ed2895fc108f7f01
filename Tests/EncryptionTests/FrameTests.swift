import NIOCore
import Testing

@testable import Encryption

@Suite struct FrameTests {
    /// Small, so that all cases can be tried.
    private static let format = FrameFormat(storedSize: 24)!
    private static let dataKey = [UInt8](repeating: 7, count: 32)
    private static let blob = [UInt8](0..<16)

    private static func cipher(key: [UInt8] = dataKey, blob: [UInt8] = blob) -> FrameCipher {
        FrameCipher(dataKey: key, blob: blob, format: format)
    }

    private static func content(_ size: Int) -> ByteBuffer { ByteBuffer(bytes: (0..<size).map { UInt8($0 & 0xFF) }) }

    @Test("sizes: stored and content belong together", arguments: 0..<60)
    func sizes(_ size: UInt64) {
        let stored = Self.format.stored(content: size)
        #expect(stored == size + (size + 7) / 8 * 16)
        #expect(Self.format.content(stored: stored) == size)
        #expect(Self.format.frames(stored: stored) == (size + 7) / 8)
    }

    @Test("no content has a size that ends within a tag")
    func impossibleSizes() {
        for rest in 1...16 { #expect(Self.format.content(stored: UInt64(48 + rest)) == nil) }
        #expect(FrameFormat(storedSize: 16) == nil && FrameFormat(storedSize: 1 << 30) == nil)
    }

    @Test("every range of every size is found in its frames")
    func spans() throws {
        for size in 1..<30 {
            let sealed = Self.cipher().seal(Self.content(size), first: 0, isEnd: true)
            #expect(UInt64(sealed.readableBytes) == Self.format.stored(content: UInt64(size)))
            for first in 0..<size {
                for end in (first + 1)...size {
                    let span = Self.format.span(
                        of: UInt64(first)..<UInt64(end), total: UInt64(sealed.readableBytes))
                    let frames = try #require(
                        sealed.getSlice(at: Int(span.stored.lowerBound), length: span.stored.count))
                    var opened = try Self.cipher().open(
                        frames, first: span.firstFrame, isEnd: Int(span.stored.upperBound) == sealed.readableBytes)
                    opened.moveReaderIndex(forwardBy: span.skip)
                    #expect(opened.readBytes(length: end - first) == (first..<end).map { UInt8($0) })
                    #expect(span.stored.count <= (end - first + 7 + 8) / 8 * 24)
                }
            }
        }
    }

    @Test("content that is sealed piece by piece is the same as at once")
    func pieces() throws {
        let whole = Self.cipher().seal(Self.content(20), first: 0, isEnd: true)
        var pieces = Self.cipher().seal(Self.content(20).getSlice(at: 0, length: 16)!, first: 0, isEnd: false)
        var last = Self.cipher().seal(Self.content(20).getSlice(at: 16, length: 4)!, first: 2, isEnd: true)
        pieces.writeBuffer(&last)
        #expect(pieces == whole)
    }

    @Test("every changed bit is noticed")
    func tampering() {
        let sealed = Self.cipher().seal(Self.content(10), first: 0, isEnd: true)
        for index in 0..<sealed.readableBytes {
            for bit in 0..<8 {
                var changed = sealed
                changed.setInteger(sealed.getInteger(at: index)! ^ UInt8(1 << bit), at: index)
                #expect(throws: FrameCipher.NotAuthentic(frame: index < 24 ? 0 : 1)) {
                    try Self.cipher().open(changed, first: 0, isEnd: true)
                }
            }
        }
    }

    @Test("frames that are swapped, repeated, cut off or added are noticed")
    func order() throws {
        let sealed = Self.cipher().seal(Self.content(24), first: 0, isEnd: true)
        func frame(_ number: Int) -> ByteBuffer { sealed.getSlice(at: number * 24, length: 24)! }
        func joined(_ numbers: [Int]) -> ByteBuffer {
            numbers.reduce(into: ByteBuffer()) { buffer, number in buffer.writeImmutableBuffer(frame(number)) }
        }
        #expect(try Self.cipher().open(joined([0, 1, 2]), first: 0, isEnd: true) == Self.content(24))
        for numbers in [[1, 0, 2], [0, 0, 2], [0, 1], [0, 2], [0, 1, 1], [0, 1, 2, 2], [1, 2]] {
            #expect(throws: FrameCipher.NotAuthentic.self, "\(numbers)") {
                try Self.cipher().open(joined(numbers), first: 0, isEnd: true)
            }
        }
        #expect(throws: FrameCipher.NotAuthentic.self) {
            try Self.cipher().open(joined([0, 1, 2]), first: 0, isEnd: false)
        }
    }

    @Test("another key or another blob opens nothing, and the same content looks different in each")
    func keys() {
        let sealed = Self.cipher().seal(Self.content(8), first: 0, isEnd: true)
        let otherBlob = Self.cipher(blob: [UInt8](1..<17))
        let otherKey = Self.cipher(key: [UInt8](repeating: 8, count: 32))
        for cipher in [otherBlob, otherKey] {
            #expect(throws: FrameCipher.NotAuthentic.self) { try cipher.open(sealed, first: 0, isEnd: true) }
            #expect(cipher.seal(Self.content(8), first: 0, isEnd: true) != sealed)
        }
    }
}

@Suite struct SealingKeyTests {
    private let secret = [UInt8](0..<32)

    @Test("what was sealed is opened with the same key, purpose and context, and with no other")
    func roundTrip() {
        let key = SealingKey(derivedFrom: secret, purpose: "a")
        let sealed = key.seal([1, 2, 3], context: [9])
        #expect(key.open(sealed, context: [9]) == [1, 2, 3])
        #expect(key.open(sealed) == nil)
        #expect(SealingKey(derivedFrom: secret, purpose: "b").open(sealed, context: [9]) == nil)
        #expect(SealingKey(derivedFrom: secret.reversed(), purpose: "a").open(sealed, context: [9]) == nil)
        #expect(key.seal([1, 2, 3], context: [9]) != sealed)
    }

    @Test("every change and every truncation is noticed")
    func tampering() {
        let key = SealingKey(derivedFrom: secret, purpose: "a")
        let sealed = key.seal(secret)
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(key.open(changed) == nil)
            #expect(key.open(Array(sealed[..<index])) == nil)
        }
        #expect(key.open(key.seal([])) == [])
    }
}
