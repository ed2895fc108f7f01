import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import S3Protocol
import Synchronization

/// Listens for clients and gives each connection its handlers.
final class FrontServer: Sendable {
    private let front: any ClientFront
    private let group: MultiThreadedEventLoopGroup
    private let loops: [ObjectIdentifier: FrontLoop]
    private let connections = Atomic<Int>(0)
    private let listener = Mutex<(any Channel)?>(nil)
    private let isStopped = Atomic<Bool>(false)
    private let ticking = Mutex<[RepeatedTask]>([])
    private let logger: Logger

    init(front: any ClientFront, threads: Int, logger: Logger) {
        self.front = front
        self.logger = logger
        group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        var loops: [ObjectIdentifier: FrontLoop] = [:]
        for eventLoop in group.makeIterator() {
            loops[ObjectIdentifier(eventLoop)] = FrontLoop(eventLoop, clock: { front.now })
        }
        self.loops = loops
    }

    /// The port that is listened on, 0 before the start.
    var port: Int { listener.withLock { $0?.localAddress?.port } ?? 0 }

    func start(host: String, port: Int) async throws {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 1 << 10, initial: 4 << 10, maximum: 64 << 10)
            )
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture { try configure(channel) }
            }
        let channel = try await bootstrap.bind(host: host, port: port).get()
        listener.withLock { $0 = channel }
        let admission = front.admission
        ticking.withLock { $0 = loops.values.flatMap { [$0.startTicking(), $0.startProbing(admission.noteLag)] } }
        let budget = front.budget
        let expiry = group.any().scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            budget.expire()
        }
        ticking.withLock { $0.append(expiry) }
    }

    /// Accepts no more, lets requests finish until the deadline, then closes what is left.
    func stop() async {
        guard !isStopped.exchange(true, ordering: .relaxed) else { return }
        try? await listener.withLock { $0 }?.close().get()
        for loop in loops.values { loop.drain() }
        let deadline = NIODeadline.now() + front.limits.stopTimeout
        while connections.load(ordering: .relaxed) > 0, NIODeadline.now() < deadline {
            try? await Task.sleep(for: .milliseconds(20))
        }
        let left = connections.load(ordering: .relaxed)
        if left > 0 { logger.warning("closing connections at the deadline", metadata: ["connections": "\(left)"]) }
        for loop in loops.values { await loop.closeAll() }
        for task in ticking.withLock({ $0 }) { task.cancel() }
        try? await group.shutdownGracefully()
    }

    private func configure(_ channel: any Channel) throws {
        let open = connections.wrappingAdd(1, ordering: .relaxed).newValue
        channel.closeFuture.whenComplete { [self] _ in connections.wrappingSubtract(1, ordering: .relaxed) }
        guard open <= front.limits.connectionsMax else {
            front.metrics.connectionsRefused.increment()
            return try channel.pipeline.syncOperations.addHandler(RefusingHandler())
        }
        var limits = NIOHTTPDecoderLimitConfiguration()
        // A key of 1,024 bytes, all of them escaped, and a presigned query stand in one line.
        limits.maxHeaderFieldSize = 16 << 10
        limits.maxHeaderListSize = 32 << 10
        limits.maxHeaderFieldCount = FramingRules.headersMax + 28
        let decoder = HTTPRequestDecoder(
            leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop, limitConfiguration: limits)
        try channel.pipeline.syncOperations.addHandlers([
            ByteToMessageHandler(decoder),
            HTTPConnection(front: front, loop: loops[ObjectIdentifier(channel.eventLoop)]!),
        ])
    }
}

/// Tells a client that there are too many, and closes.
private final class RefusingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelActive(context: ChannelHandlerContext) {
        let id = RequestID.make()
        let body = String(decoding: S3Error(.slowDown).xml(requestID: id), as: UTF8.self)
        let answer =
            "HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: \(body.utf8.count)\r\n"
            + "x-amz-request-id: \(id)\r\nRetry-After: 1\r\nConnection: close\r\n\r\n" + body
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer))).whenComplete { _ in
            channel.close(promise: nil)
        }
    }
}
