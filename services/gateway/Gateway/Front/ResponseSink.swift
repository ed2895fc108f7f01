import NIOCore
import NIOHTTP1
import S3Protocol

/// The way from a request's task to its connection. On the connection's event loop, where the task runs, calls go straight
/// through.
struct ResponseSink: Sendable {
    private let connection: NIOLoopBound<HTTPConnection>
    private let loop: FrontLoop

    init(_ connection: HTTPConnection) {
        self.connection = NIOLoopBound(connection, eventLoop: connection.loop.eventLoop)
        loop = connection.loop
    }

    private func onLoop(_ body: @escaping @Sendable (HTTPConnection) -> Void) {
        if loop.eventLoop.inEventLoop {
            body(connection.value)
        } else {
            loop.eventLoop.execute { body(connection.value) }
        }
    }

    func demand() { onLoop { $0.bodyDemanded() } }

    /// Sends an answer; returns its status and the number of bytes of its body that were handed to the socket.
    func send(_ response: S3Response, to exchange: some ClientExchange) async -> UInt64 {
        var head = HTTPResponseHead(version: .http1_1, status: response.status, headers: response.headers)
        for (name, value) in exchange.identification { head.headers.replaceOrAdd(name: name, value: value) }
        head.headers.replaceOrAdd(name: "Server", value: "Martlet")
        head.headers.replaceOrAdd(name: "Date", value: loop.date())
        let hasBody = exchange.head.method != .HEAD && response.status.mayHaveResponseBody
        switch response.body {
        case .empty:
            if response.status.mayHaveResponseBody, !head.headers.contains(name: "Content-Length") || hasBody {
                head.headers.replaceOrAdd(name: "Content-Length", value: "0")
            }
            return finish(head, nil)
        case .bytes(let bytes):
            if response.status.mayHaveResponseBody {
                head.headers.replaceOrAdd(name: "Content-Length", value: String(bytes.readableBytes))
            }
            return finish(head, hasBody ? bytes : nil)
        case .stream(let length, let producer):
            head.headers.replaceOrAdd(name: "Content-Length", value: String(length))
            guard hasBody, length > 0 else { return finish(head, nil) }
            return await stream(head, length, producer)
        }
    }

    private func finish(_ head: HTTPResponseHead, _ bytes: ByteBuffer?) -> UInt64 {
        onLoop { connection in
            connection.start(head)
            connection.end(bytes)
        }
        return UInt64(bytes?.readableBytes ?? 0)
    }

    private func stream(_ head: HTTPResponseHead, _ length: UInt64, _ producer: S3Response.Producer) async -> UInt64 {
        var sent: UInt64 = 0
        do {
            while sent < length, let bytes = try await producer() {
                // The head waits for the first bytes: they leave in one write.
                if sent == 0 { onLoop { $0.start(head) } }
                sent += UInt64(bytes.readableBytes)
                guard sent <= length else { break }
                if sent == length {
                    onLoop { $0.end(bytes) }
                    return sent
                }
                try await withCheckedThrowingContinuation { continuation in
                    onLoop { $0.write(bytes, continuation) }
                }
            }
        } catch {}
        // Too few bytes, too many, or an error: an answer that looks complete would be a lie.
        onLoop { $0.abort() }
        return sent
    }
}
