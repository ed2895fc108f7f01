import NIOCore
import NIOHTTP1
import S3Protocol

/// One client connection: takes requests from the HTTP decoder, one at a time, and writes their answers.
///
/// Runs on its event loop only. It reads a body from the socket when somebody wants the bytes and not otherwise, so a slow
/// reader slows its sender. A request that follows on the same connection waits in `inbox`, which one read of
/// the socket can fill and no more.
final class HTTPConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    enum Phase {
        /// Between requests.
        case idle
        /// From a request's head to the end of both request and answer.
        case exchange
        /// The last answer is sent; what still comes is thrown away until the client closes.
        case lingering
        case closed
    }

    let front: any ClientFront
    let loop: FrontLoop
    private(set) var phase = Phase.idle
    private var context: ChannelHandlerContext?
    private var response = ResponseWriter()
    private var remote = ""
    private var inbox = CircularBuffer<HTTPServerRequestPart>()
    private var readIsOutstanding = false

    // The present exchange.
    private var pipe: BodyPipe?
    private var task: Task<Void, Never>?
    private var requestEnded = true
    private var responseEnded = true
    /// The socket has taken all of the last answer.
    private var responseFlushed = true
    private var inputClosed = false
    private var closesAfterResponse = false
    private var awaitsContinue = false
    private var bodyRemaining: UInt64 = 0
    /// The handler has answered: what is left of the body is thrown away.
    private var discardsBody = false
    private var writer: CheckedContinuation<Void, any Error>?
    /// The parser failed behind the present exchange.
    private var parseError: S3Error?
    /// The parser takes no more: what still comes is only counted.
    private var inputIsBroken = false
    private var lingered = 0

    // Deadlines.
    private var idleDeadline = NIODeadline.distantFuture
    private var lingerDeadline = NIODeadline.distantFuture
    private var lastProgress = NIODeadline.now()
    private var sendProgress = SendProgress()
    private var rateStart = NIODeadline.now()
    private var rateBytes = 0

    init(front: any ClientFront, loop: FrontLoop) {
        self.front = front
        self.loop = loop
    }

    // MARK: - Channel events

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        remote = context.remoteAddress?.ipAddress ?? ""
        idleDeadline = .now() + front.limits.headTimeout
        loop.add(self)
        front.metrics.connections.increment()
        readIfWanted()
    }

    func channelInactive(context: ChannelHandlerContext) {
        phase = .closed
        loop.remove(self)
        front.metrics.connections.decrement()
        pipe?.fail(S3Error(.incompleteBody))
        task?.cancel()
        resumeWriter(throwing: CancellationError())
        // The pipe knows the connection: no cycle may outlive the channel.
        (pipe, task, self.context) = (nil, nil, nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        switch phase {
        case .idle:
            inbox.append(part)
            processInbox()
        case .exchange where !requestEnded && inbox.isEmpty: take(part)
        case .exchange: inbox.append(part)
        case .lingering: linger(part)
        case .closed: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        readIsOutstanding = false
        readIfWanted()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard context.channel.isWritable else { return }
        lastProgress = .now()
        resumeWriter()
        processInbox()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            return context.fireUserInboundEventTriggered(event)
        }
        inputClosed = true
        switch phase {
        case .idle where inbox.isEmpty && responseFlushed, .lingering: context.close(promise: nil)
        case .idle, .closed: break
        case .exchange:
            // The client may wait for its answer with its own half closed. A body that ended early fails in the pipe.
            closesAfterResponse = true
            if !requestEnded { endRequest(failing: S3Error(.incompleteBody)) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case ByteToMessageDecoderError.dataReceivedInErrorState(_, let rest) = error {
            return countLingered(rest.readableBytes)
        }
        inputIsBroken = true
        guard let failure = Self.s3Error(error) else { return context.close(promise: nil) }
        switch phase {
        case .exchange where !requestEnded && inbox.isEmpty:
            closesAfterResponse = true
            endRequest(failing: failure)
        case .exchange: parseError = failure
        case .idle:
            parseError = failure
            processInbox()
        case .lingering, .closed: context.close(promise: nil)
        }
    }

    private static func s3Error(_ error: any Error) -> S3Error? {
        switch error {
        case HTTPParserError.headerOverflow: S3Error(.requestHeaderSectionTooLarge)
        case HTTPParserError.invalidMethod: S3Error(.methodNotAllowed)
        case HTTPParserError.invalidURL, HTTPParserError.invalidPath, HTTPParserError.invalidHost:
            S3Error(.invalidURI)
        case HTTPParserError.invalidEOFState: S3Error(.incompleteBody)
        case is HTTPParserError: S3Error(.invalidRequest, "The HTTP request is malformed.")
        default: nil
        }
    }

    // MARK: - Requests

    private func processInbox() {
        while let context, context.channel.isWritable {
            switch phase {
            case .idle where !inbox.isEmpty, .exchange where !requestEnded && !inbox.isEmpty: take(inbox.removeFirst())
            case .idle:
                guard let failure = parseError else { return readIfWanted() }
                parseError = nil
                closesAfterResponse = true
                begin(HTTPRequestHead(version: .http1_1, method: .GET, uri: "/"), rejection: failure)
                endRequest()
            case .exchange, .lingering, .closed: return
            }
        }
    }

    private func take(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(var head):
            FramingRules.trim(&head.headers)
            var rejection: S3Error?
            do throws(S3Error) { try FramingRules.check(head) } catch { rejection = error }
            closesAfterResponse = !head.isKeepAlive || rejection != nil || inputClosed || loop.isDraining
            begin(head, rejection: rejection)
        case .body(let bytes):
            lastProgress = .now()
            rateBytes += bytes.readableBytes
            awaitsContinue = false
            let count = UInt64(bytes.readableBytes)
            bodyRemaining = bodyRemaining > count ? bodyRemaining - count : 0
            if !discardsBody { pipe?.push(bytes) }
        case .end: endRequest()
        }
    }

    private func begin(_ head: HTTPRequestHead, rejection: S3Error?) {
        phase = .exchange
        requestEnded = false
        responseEnded = false
        discardsBody = false
        idleDeadline = .distantFuture
        lastProgress = .now()
        (rateStart, rateBytes) = (lastProgress, 0)
        awaitsContinue = head.headers.first(name: "expect")?.lowercased() == "100-continue"
        let isChunked = head.headers.contains(name: "transfer-encoding")
        bodyRemaining = isChunked ? .max : head.headers.first(name: "content-length").flatMap { UInt64($0) } ?? 0
        let sink = ResponseSink(self)
        let pipe = BodyPipe(onDemand: { sink.demand() })
        self.pipe = pipe
        task = carryOut(head, rejection, pipe, sink, by: front)
    }

    private func carryOut(
        _ head: HTTPRequestHead, _ rejection: S3Error?, _ pipe: BodyPipe, _ sink: ResponseSink,
        by front: some ClientFront
    ) -> Task<Void, Never>? {
        let exchange = front.begin(head, remote: remote, rejection: rejection)
        if let refusal = front.refusal(of: exchange) {
            let sent = sink.sendAtOnce(refusal, to: exchange)
            front.finish(exchange, status: Int(refusal.status.code), received: 0, sent: sent)
            return nil
        }
        return Task(executorPreference: loop.executor) {
            let response = await front.respond(to: exchange, source: pipe)
            let sent = await sink.send(response, to: exchange)
            front.finish(exchange, status: Int(response.status.code), received: pipe.received, sent: sent)
        }
    }

    private func endRequest(failing error: S3Error? = nil) {
        requestEnded = true
        bodyRemaining = 0
        if let error { pipe?.fail(error) } else { pipe?.finish() }
        finishExchangeIfDone()
    }

    // MARK: - Reading

    /// Whether anybody has a use for more bytes.
    private var wantsRead: Bool {
        switch phase {
        case .idle: inbox.isEmpty && parseError == nil
        // Behind the end of a request one read waits for the next: to stop and to begin again costs two system calls.
        case .exchange: inbox.isEmpty && (requestEnded ? parseError == nil : discardsBody || pipe?.wantsMore == true)
        case .lingering: true
        case .closed: false
        }
    }

    func readIfWanted() {
        guard let context, !readIsOutstanding, wantsRead else { return }
        readIsOutstanding = true
        lastProgress = .now()
        context.read()
    }

    /// The handler wants the body.
    func bodyDemanded() {
        guard phase == .exchange, !requestEnded, let context else { return }
        if awaitsContinue, !discardsBody {
            appendContinue()
            response.handOver(to: context, promise: nil)
            context.flush()
        }
        readIfWanted()
    }

    private func appendContinue() {
        awaitsContinue = false
        response.append(HTTPResponseHead(version: .http1_1, status: .continue))
    }

    // MARK: - Answers

    /// The head leaves with the first bytes of the body, or at the end.
    func start(_ head: HTTPResponseHead) {
        guard phase == .exchange else { return }
        discardsBody = true
        // A client that waits for `100 Continue` may or may not send its body now: no telling where the next head is.
        if !requestEnded, awaitsContinue || bodyRemaining > front.limits.drainBytesMax { closesAfterResponse = true }
        if loop.isDraining { closesAfterResponse = true }
        // Nobody asked for an empty body. boto3 waits for the continuation all the same, and takes a final answer that
        // comes in its place for the answer to its next request too.
        if awaitsContinue, requestEnded { appendContinue() }
        var head = head
        head.headers.add(name: "Connection", value: closesAfterResponse ? "close" : "keep-alive")
        response.append(head)
    }

    /// Writes a piece of the body; the continuation goes on when the client has room for more.
    func write(_ bytes: ByteBuffer, _ continuation: CheckedContinuation<Void, any Error>) {
        guard phase == .exchange, let context else { return continuation.resume(throwing: CancellationError()) }
        response.append(bytes, to: context)
        response.handOver(to: context, promise: nil)
        lastProgress = .now()
        // Room may come back within the flush, and with it the event that resumes the writer.
        writer = continuation
        context.flush()
        if context.channel.isWritable { resumeWriter() }
    }

    func end(_ last: ByteBuffer?) {
        guard phase == .exchange, let context else { return }
        if let last { response.append(last, to: context) }
        response.appendEnd()
        responseEnded = true
        responseFlushed = false
        lastProgress = .now()
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenSuccess { [self] in answerFlushed() }
        response.handOver(to: context, promise: promise)
        context.flush()
        finishExchangeIfDone()
        readIfWanted()
    }

    private func answerFlushed() {
        // Pipelined answers overtake nothing, but this may be the report about an earlier one.
        guard responseEnded else { return }
        responseFlushed = true
        if phase == .idle, inputClosed && inbox.isEmpty || loop.isDraining { return abort() }
        finishExchangeIfDone()
    }

    /// The answer cannot be finished: the client is to notice.
    func abort() { context?.close(promise: nil) }

    private func resumeWriter(throwing error: (any Error)? = nil) {
        guard let waiting = writer else { return }
        writer = nil
        if let error { waiting.resume(throwing: error) } else { waiting.resume() }
    }

    private func finishExchangeIfDone() {
        guard phase == .exchange, responseEnded, let context else { return }
        if closesAfterResponse {
            // Closing earlier would throw away what the socket has not taken yet.
            if responseFlushed { closeAfterAnswer(context) }
        } else if requestEnded {
            phase = .idle
            (pipe, task) = (nil, nil)
            idleDeadline = .now() + front.limits.idleTimeout
            processInbox()
        }
    }

    /// Closing with unread bytes in the socket would reset the connection and take the answer away from the client: so
    /// only our half is closed, and the rest is read for a moment.
    private func closeAfterAnswer(_ context: ChannelHandlerContext) {
        (pipe, task) = (nil, nil)
        phase = .lingering
        lingerDeadline = .now() + front.limits.lingerTimeout
        guard !requestEnded || inputIsBroken else { return context.close(promise: nil) }
        context.close(mode: .output, promise: nil)
        readIfWanted()
    }

    private func linger(_ part: HTTPServerRequestPart) {
        guard case .body(let bytes) = part else { return abort() }
        countLingered(bytes.readableBytes)
    }

    private func countLingered(_ bytes: Int) {
        lingered += bytes
        if lingered > front.limits.lingerBytesMax { context?.close(promise: nil) }
    }

    // MARK: - Time

    /// Called about once a second.
    func tick(_ now: NIODeadline) {
        guard let context else { return }
        switch phase {
        case .idle: if now > idleDeadline { context.close(promise: nil) }
        case .lingering: if now > lingerDeadline { context.close(promise: nil) }
        case .exchange: checkProgress(context, now)
        case .closed: break
        }
    }

    private func checkProgress(_ context: ChannelHandlerContext, _ now: NIODeadline) {
        let timeout = front.limits.bodyTimeout
        if writer != nil || (responseEnded && !responseFlushed) {
            if sendProgress.hasAdvanced(handedOver: response.handedOver, buffered: buffered(context)) {
                lastProgress = now
            }
            if now - lastProgress > timeout { context.close(promise: nil) }
        } else if !requestEnded, pipe?.wantsMore == true || discardsBody {
            let waited = now - rateStart
            let isSlow =
                waited > timeout
                && Int64(rateBytes) < Int64(front.limits.bytesPerSecondMin) * waited.nanoseconds / 1_000_000_000
            guard now - lastProgress > timeout || isSlow else { return }
            closesAfterResponse = true
            if responseEnded { context.close(promise: nil) } else { pipe?.fail(S3Error(.requestTimeout)) }
        } else {
            // It is not the client who makes us wait.
            (rateStart, rateBytes) = (now, 0)
        }
    }

    /// Bytes that the socket has not taken yet.
    private func buffered(_ context: ChannelHandlerContext) -> UInt64 {
        UInt64((try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0)
    }

    /// The process stops: no further request on this connection.
    func drain() {
        closesAfterResponse = true
        if phase == .idle, responseFlushed { abort() }
    }
}
