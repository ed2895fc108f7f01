import NIOCore
import Wire

/// The version of envelope and frames that this code speaks.
let busProtocolVersion: UInt32 = 2

/// A message as it came from a socket: `[head][payload…]`, at a ROUTER with the connection's id before it.
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
        var left = messageBytes
        message.readHead(&frame, left: &left)
        while frame.hasMore, socket.receive(&frame) { message.readPayload(&frame, left: &left) }
        return message
    }

    /// Sends one message; false when the socket has no connection or its queue is full, and nothing was sent.
    static func send(
        _ envelope: Envelope, body: [UInt8], payload: [ByteBuffer], to socket: ZeroMQSocket,
        leadingFrame: [UInt8]? = nil, account: HeldBytes? = nil
    ) -> Bool {
        if let leadingFrame, socket.send(ZeroMQMessage(leadingFrame), more: true) != 0 { return false }
        guard socket.send(MessageHead.bytes(envelope, body: body), more: !payload.isEmpty) == 0 else { return false }
        for (index, buffer) in payload.enumerated() {
            _ = socket.send(ZeroMQMessage(buffer, account: account), more: index + 1 < payload.count)
        }
        return true
    }
}

extension ReceivedMessage {
    fileprivate mutating func readHead(_ frame: inout ZeroMQMessage, left: inout Int) {
        frame.withBytes { bytes in
            guard let head = MessageHead.read(bytes) else {
                fault = .malformed
                return
            }
            envelope = head.envelope
            left -= head.body.count
            if head.envelope.protocolVersion != busProtocolVersion {
                fault = .unsupportedVersion
            } else if left < 0 {
                fault = .tooLarge
            } else if !head.body.isEmpty {
                body = ByteBuffer(bytes: head.body)
            }
        }
    }

    fileprivate mutating func readPayload(_ frame: inout ZeroMQMessage, left: inout Int) {
        left -= frame.count
        if left < 0 || payload.count == BusFrames.payloadFramesMax { fault = fault ?? .tooLarge }
        guard fault == nil else { return }
        payload.append(frame.buffer)
    }
}
