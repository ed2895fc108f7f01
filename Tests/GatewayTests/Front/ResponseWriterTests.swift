import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import Gateway

@Suite struct ResponseWriterTests {
    private final class Silent: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
    }

    /// The buffers that a channel gets from an answer.
    private func buffers(_ headers: HTTPHeaders, body: [ByteBuffer]) throws -> [ByteBuffer] {
        let channel = EmbeddedChannel(handler: Silent())
        let context = try channel.pipeline.syncOperations.context(handlerType: Silent.self)
        var writer = ResponseWriter()
        writer.append(HTTPResponseHead(version: .http1_1, status: .ok, headers: headers))
        for piece in body { writer.append(piece, to: context) }
        writer.appendEnd()
        writer.handOver(to: context, promise: nil)
        context.flush()
        var buffers: [ByteBuffer] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { buffers.append(buffer) }
        _ = try channel.finish()
        return buffers
    }

    @Test("head and small body are one buffer")
    func small() throws {
        let buffers = try buffers(["Content-Length": "4", "ETag": "\"e\""], body: [ByteBuffer(string: "body")])
        #expect(
            buffers.map { String(buffer: $0) } == ["HTTP/1.1 200 OK\r\nContent-Length: 4\r\nETag: \"e\"\r\n\r\nbody"])
    }

    @Test("a large body is not copied, and stays in its place")
    func large() throws {
        let body = ByteBuffer(repeating: UInt8(ascii: "x"), count: ResponseWriter.copiedMax + 1)
        let buffers = try buffers(["Content-Length": "\(body.readableBytes)"], body: [body])
        #expect(buffers.first.map { String(buffer: $0) }?.hasSuffix("\r\n\r\n") == true)
        #expect(buffers.dropFirst().first == body)
        #expect(buffers.dropFirst(2).allSatisfy { $0.readableBytes == 0 })
    }

    @Test("chunks of all sizes are framed, empty ones are left out")
    func chunks() throws {
        let large = String(repeating: "y", count: ResponseWriter.copiedMax + 1)
        let buffers = try buffers(
            ["Transfer-Encoding": "chunked"],
            body: [ByteBuffer(string: "one"), ByteBuffer(), ByteBuffer(string: large), ByteBuffer(string: "three")])
        let text = buffers.map { String(buffer: $0) }.joined()
        let size = String(large.utf8.count, radix: 16)
        #expect(
            text == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n\(size)\r\n\(large)\r\n"
                + "5\r\nthree\r\n0\r\n\r\n")
    }
}
