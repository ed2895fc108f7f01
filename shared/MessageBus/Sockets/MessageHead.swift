import NIOCore
import Wire

/// Envelope and body in one frame: length of the envelope in four bytes (big-endian), envelope, body. Each frame costs libzmq
/// a message of its own, encryption and a place in its queues, so a message has no more of them than it needs.
enum MessageHead {
    private static let lengthBytes = 4

    static func bytes(_ envelope: Envelope, body: [UInt8], after topic: [UInt8] = []) -> ZeroMQMessage {
        let head = envelope.encoded()
        return ZeroMQMessage(count: topic.count + lengthBytes + head.count + body.count) { frame in
            var end = 0
            func append(_ bytes: UnsafeRawBufferPointer) {
                UnsafeMutableRawBufferPointer(rebasing: frame[end..<end + bytes.count]).copyMemory(from: bytes)
                end += bytes.count
            }
            topic.withUnsafeBytes(append)
            withUnsafeBytes(of: UInt32(head.count).bigEndian, append)
            head.withUnsafeBytes(append)
            body.withUnsafeBytes(append)
        }
    }

    /// Envelope, and where the body is. Nil unless there is a readable envelope.
    static func read(_ frame: UnsafeRawBufferPointer) -> (envelope: Envelope, body: UnsafeRawBufferPointer)? {
        guard frame.count >= lengthBytes else { return nil }
        let length = Int(UInt32(bigEndian: frame.loadUnaligned(as: UInt32.self)))
        guard length <= min(BusFrames.envelopeBytesMax, frame.count - lengthBytes) else { return nil }
        let head = UnsafeRawBufferPointer(rebasing: frame[lengthBytes..<lengthBytes + length])
        guard let envelope = try? Envelope(decoding: head) else { return nil }
        return (envelope, UnsafeRawBufferPointer(rebasing: frame[(lengthBytes + length)...]))
    }
}
