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
        switch response.body {
        case .empty, .bytes: return sendAtOnce(response, to: exchange)
        case .stream(let length, let producer):
            var head = head(of: response, to: exchange)
            if response.status.mayHaveResponseBody {
                head.headers.replaceOrAdd(name: "Content-Length", value: String(length))
            }
            guard hasBody(response, exchange), length > 0 else { return finish(head, nil) }
            return await stream(head, length, producer)
        case .open(let producer):
            var head = head(of: response, to: exchange)
            guard hasBody(response, exchange) else { return finish(head, nil) }
            head.headers.replaceOrAdd(name: "Transfer-Encoding", value: "chunked")
            return await stream(head, producer)
        }
    }

    /// The same for an answer that is at hand as a whole, without a task. Any other body is left out.
    func sendAtOnce(_ response: S3Response, to exchange: some ClientExchange) -> UInt64 {
        var head = head(of: response, to: exchange)
        let hasBody = hasBody(response, exchange)
        guard case .bytes(let bytes) = response.body else {
            if response.status.mayHaveResponseBody, !head.headers.contains(name: "Content-Length") || hasBody {
                head.headers.replaceOrAdd(name: "Content-Length", value: "0")
            }
            return finish(head, nil)
        }
        if response.status.mayHaveResponseBody {
            head.headers.replaceOrAdd(name: "Content-Length", value: String(bytes.readableBytes))
        }
        return finish(head, hasBody ? bytes : nil)
    }

    private func hasBody(_ response: S3Response, _ exchange: some ClientExchange) -> Bool {
        exchange.head.method != .HEAD && response.status.mayHaveResponseBody
    }

    private func head(of response: S3Response, to exchange: some ClientExchange) -> HTTPResponseHead {
        var head = HTTPResponseHead(version: .http1_1, status: response.status, headers: response.headers)
        if !response.status.mayHaveResponseBody { head.headers.remove(name: "Content-Length") }
        // What no operation sets is added without a look at what there is.
        for (name, value) in exchange.identification { head.headers.add(name: name, value: value) }
        head.headers.add(name: "Server", value: "Martlet")
        head.headers.add(name: "Date", value: loop.date())
        return head
    }

    private func stream(_ head: HTTPResponseHead, _ producer: S3Response.Producer) async -> UInt64 {
        var sent: UInt64 = 0
        do {
            while let bytes = try await producer() {
                if sent == 0 { onLoop { $0.start(head) } }
                sent += UInt64(bytes.readableBytes)
                try await withCheckedThrowingContinuation { continuation in
                    onLoop { $0.write(bytes, continuation) }
                }
            }
            if sent == 0 { onLoop { $0.start(head) } }
            onLoop { $0.end(nil) }
        } catch {
            onLoop { $0.abort() }
        }
        return sent
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
