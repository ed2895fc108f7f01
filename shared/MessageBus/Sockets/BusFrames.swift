import NIOCore
import Wire

/// The version of envelope and frames that this code speaks.
let busProtocolVersion: UInt32 = 1

/// A message as it came from a socket: `[envelope][body][payload…]`, at a ROUTER with the connection's id before it.
struct ReceivedMessage {
    var connection: [UInt8] = []
    var envelope: Envelope?
    var body = ByteBuffer()
    var payload: [ByteBuffer] = []
    /// Which authenticated key sent it, see ``KeyAuthority``.
    var userID: Int?
    /// Why it cannot be used, although the envelope may have been readable.
    var fault: Fault?

    var bytes: Int { payload.reduce(body.readableBytes) { $0 + $1.readableBytes } }

    enum Fault { case malformed, tooLarge, unsupportedVersion }
}

enum BusFrames {
    /// An envelope has some short strings.
    static let envelopeBytesMax = 4096
    static let payloadFramesMax = 64
    /// Looked at in one go before other sockets have their turn.
    static let batch = 128

    /// Receives one message of any content whatever; nil when there is none.
    static func receive(
        from socket: ZeroMQSocket, leadingFrame: Bool, messageBytes: Int
    ) -> ReceivedMessage? {
        var frame = ZeroMQMessage()
        guard socket.receive(&frame) else { return nil }
        var message = ReceivedMessage()
        if leadingFrame {
            message.connection = frame.bytes
            guard frame.hasMore, socket.receive(&frame) else {
                message.fault = .malformed
                return message
            }
        }
        message.userID = frame.userID
        message.readEnvelope(&frame)
        var left = messageBytes
        var index = 0
        while frame.hasMore, socket.receive(&frame) {
            message.readContent(&frame, index: index, left: &left)
            index += 1
        }
        if index == 0 { message.fault = message.fault ?? .malformed }
        return message
    }

    /// Sends one message; false when the socket has no connection or its queue is full, and nothing was sent.
    static func send(
        _ envelope: Envelope, body: [UInt8], payload: [ByteBuffer], to socket: ZeroMQSocket,
        leadingFrame: [UInt8]? = nil, account: HeldBytes? = nil
    ) -> Bool {
        if let leadingFrame, socket.send(ZeroMQMessage(leadingFrame), more: true) != 0 { return false }
        guard socket.send(ZeroMQMessage(envelope.encoded()), more: true) == 0 else { return false }
        _ = socket.send(ZeroMQMessage(body), more: !payload.isEmpty)
        for (index, buffer) in payload.enumerated() {
            _ = socket.send(ZeroMQMessage(buffer, account: account), more: index + 1 < payload.count)
        }
        return true
    }
}

extension ReceivedMessage {
    fileprivate mutating func readEnvelope(_ frame: inout ZeroMQMessage) {
        guard frame.count <= BusFrames.envelopeBytesMax else {
            fault = .malformed
            return
        }
        envelope = frame.withBytes { try? Envelope(decoding: $0) }
        guard let envelope else {
            fault = .malformed
            return
        }
        if envelope.protocolVersion != busProtocolVersion { fault = .unsupportedVersion }
    }

    fileprivate mutating func readContent(_ frame: inout ZeroMQMessage, index: Int, left: inout Int) {
        left -= frame.count
        if left < 0 || index > BusFrames.payloadFramesMax { fault = fault ?? .tooLarge }
        guard fault == nil else { return }
        if index == 0 { body = frame.buffer } else { payload.append(frame.buffer) }
    }
}
