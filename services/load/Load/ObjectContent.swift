import NIOCore

/// The bytes of one version of one key: made from a seed, so that a reader can check every byte without having kept them.
///
/// A head `key\nversion\nsize\n` (cut to the size) names what the object claims to be; the rest is a pseudo-random stream
/// seeded by it.
struct ObjectContent: Sendable, Equatable {
    var key: String
    var version: UInt64
    var size: Int

    private var head: String { "\(key)\n\(version)\n\(size)\n" }

    /// Sizes from here on tell what they claim to be.
    static let headSizeMax = 128

    var bytes: ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: size + head.utf8.count + 8)
        buffer.writeString(head)
        // FNV-1a over the head seeds a linear congruential generator.
        var state = head.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        while buffer.writerIndex < size {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            buffer.writeInteger(state ^ state >> 29)
        }
        buffer.moveWriterIndex(to: size)
        return buffer
    }

    /// What the body of an object claims to be; nil when it has no head, as very small objects.
    static func claimed(by body: ByteBuffer) -> ObjectContent? {
        let start = body.readableBytesView.prefix(headSizeMax)
        let lines = start.split(separator: UInt8(ascii: "\n"), maxSplits: 3, omittingEmptySubsequences: false)
        guard lines.count == 4, let version = UInt64(String(decoding: lines[1], as: UTF8.self)),
            let size = Int(String(decoding: lines[2], as: UTF8.self))
        else { return nil }
        return ObjectContent(key: String(decoding: lines[0], as: UTF8.self), version: version, size: size)
    }

    /// Whether these are exactly the bytes of this content.
    func matches(_ body: ByteBuffer) -> Bool { body.readableBytesView.elementsEqual(bytes.readableBytesView) }
}
