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

/// A publication is one frame: topic and ``MessageHead``. libzmq matches subscriptions with the beginning of a frame.
enum PublicationFrame {
    /// The digits of a 32-bit number with its sign, and a point.
    private static let topicBytesMax = 12

    static func encoded(_ envelope: Envelope, body: [UInt8]) -> ZeroMQMessage {
        MessageHead.bytes(envelope, body: body, after: Topic.bytes(envelope.type))
    }

    /// Nil unless the frame is whole, of our version, and of the type that its topic says.
    static func decoded(_ frame: UnsafeRawBufferPointer) -> (envelope: Envelope, body: ByteBuffer)? {
        guard let point = frame.prefix(topicBytesMax).firstIndex(of: UInt8(ascii: ".")) else { return nil }
        guard let head = MessageHead.read(UnsafeRawBufferPointer(rebasing: frame[(point + 1)...])),
            head.envelope.protocolVersion == busProtocolVersion,
            frame[...point].elementsEqual(Topic.bytes(head.envelope.type))
        else { return nil }
        return (head.envelope, head.body.isEmpty ? ByteBuffer() : ByteBuffer(bytes: head.body))
    }
}
