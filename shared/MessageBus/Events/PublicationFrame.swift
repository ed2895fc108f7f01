import Model
import NIOCore
import Wire

/// The topic of a message type: no topic is the beginning of another one.
enum Topic {
    static func bytes(_ type: MessageType) -> [UInt8] { Array("\(type.rawValue).".utf8) }

    static func type(_ bytes: ArraySlice<UInt8>) -> MessageType? {
        guard bytes.last == UInt8(ascii: "."), let number = Int32(String(decoding: bytes.dropLast(), as: UTF8.self))
        else { return nil }
        return MessageType(rawValue: number)
    }
}

/// A publication is one frame: topic, length of the envelope in four bytes (big-endian), envelope, body. libzmq matches
/// subscriptions with the beginning of a frame.
enum PublicationFrame {
    /// The digits of a 32-bit number with its sign, and a point.
    private static let topicBytesMax = 12
    private static let lengthBytes = 4

    static func encoded(_ envelope: Envelope, body: [UInt8]) -> [UInt8] {
        let head = envelope.encoded()
        var frame = Topic.bytes(envelope.type)
        frame.reserveCapacity(frame.count + lengthBytes + head.count + body.count)
        for shift in [24, 16, 8, 0] { frame.append(UInt8(truncatingIfNeeded: head.count >> shift)) }
        frame += head
        frame += body
        return frame
    }

    /// Nil unless the frame is whole, of our version, and of the type that its topic says.
    static func decoded(_ frame: UnsafeRawBufferPointer) -> (envelope: Envelope, body: ByteBuffer)? {
        guard let point = frame.prefix(topicBytesMax).firstIndex(of: UInt8(ascii: ".")) else { return nil }
        let length = frame.dropFirst(point + 1).prefix(lengthBytes)
        guard length.count == lengthBytes else { return nil }
        let headBytes = length.reduce(0) { $0 << 8 | Int($1) }
        let content = frame[length.endIndex...]
        guard headBytes <= min(BusFrames.envelopeBytesMax, content.count) else { return nil }
        let head = UnsafeRawBufferPointer(rebasing: content.prefix(headBytes))
        guard let envelope = try? Envelope(decoding: head), envelope.protocolVersion == busProtocolVersion,
            frame[...point].elementsEqual(Topic.bytes(envelope.type))
        else { return nil }
        let body = content.dropFirst(headBytes)
        return (envelope, body.isEmpty ? ByteBuffer() : ByteBuffer(bytes: body))
    }
}
