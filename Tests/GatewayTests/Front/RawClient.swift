import NIOCore
import NIOPosix
import Synchronization

/// A client that sends bytes as they are given and takes answers apart by hand.
final class RawClient: Sendable {
    struct Answer: Sendable, CustomStringConvertible {
        var status: Int
        var headers: [String: String]
        var body: String

        /// The code of an S3 error.
        var code: String {
            guard let start = body.firstRange(of: "<Code>"), let end = body.firstRange(of: "</Code>") else { return "" }
            return String(body[start.upperBound..<end.lowerBound])
        }

        var description: String { "\(status) \(headers) \(body)" }
    }

    struct Closed: Error {}

    private struct State {
        var bytes: [UInt8] = []
        var isClosed = false
        var waiter: CheckedContinuation<Void, Never>?
        var received = 0
    }

    private let channel: any Channel
    private let state: Received

    /// What has come and who waits for more.
    private final class Received: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let state = Mutex(State())

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            change { state in
                state.bytes += bytes.readableBytesView
                state.received += bytes.readableBytes
            }
        }

        func channelInactive(context: ChannelHandlerContext) { change { $0.isClosed = true } }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        private func change(_ body: (inout State) -> Void) {
            let waiter = state.withLock { state in
                body(&state)
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume()
        }
    }

    private init(_ channel: any Channel, _ state: Received) {
        self.channel = channel
        self.state = state
    }

    static func connect(port: Int, autoRead: Bool = true) async throws -> RawClient {
        let received = Received()
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelOption(.autoRead, value: autoRead)
            .channelOption(.allowRemoteHalfClosure, value: false)
            .channelInitializer { $0.pipeline.addHandler(received) }
            .connect(host: "127.0.0.1", port: port).get()
        return RawClient(channel, received)
    }

    func send(_ text: String) { channel.writeAndFlush(ByteBuffer(string: text), promise: nil) }

    func send(_ bytes: ByteBuffer) async throws { try await channel.writeAndFlush(bytes).get() }

    func closeOutput() { channel.close(mode: .output, promise: nil) }

    func close() { channel.close(promise: nil) }

    /// Asks for one more read when the client does not read by itself.
    func read() { channel.read() }

    var receivedBytes: Int { state.state.withLock { $0.received } }

    /// Waits until the gateway has closed; what came before and was not taken.
    func untilClosed() async -> String {
        while !state.state.withLock({ $0.isClosed }) { await change() }
        return state.state.withLock { String(decoding: $0.bytes, as: UTF8.self) }
    }

    /// The next answer, `100 Continue` included.
    func answer(toHead: Bool = false) async throws -> Answer {
        while true {
            if let answer = take(toHead) { return answer }
            guard !state.state.withLock({ $0.isClosed }) else { throw Closed() }
            await change()
        }
    }

    private func change() async {
        await withCheckedContinuation { continuation in
            let ready = state.state.withLock { state in
                // Only one change is waited for, and a closed connection changes no more.
                if state.isClosed || state.bytes.count != lastCount.load(ordering: .relaxed) { return true }
                state.waiter = continuation
                return false
            }
            if ready {
                lastCount.store(state.state.withLock { $0.bytes.count }, ordering: .relaxed)
                continuation.resume()
            }
        }
    }

    private let lastCount = Atomic<Int>(0)

    private func take(_ toHead: Bool) -> Answer? {
        state.state.withLock { state in
            let text = String(decoding: state.bytes, as: UTF8.self)
            lastCount.store(state.bytes.count, ordering: .relaxed)
            guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
            let lines = text[..<end.lowerBound].split(separator: "\r\n").map(String.init)
            var headers: [String: String] = [:]
            for line in lines.dropFirst() {
                let pair = line.split(separator: ":", maxSplits: 1)
                headers[pair[0].lowercased()] = pair.count > 1 ? pair[1].drop { $0 == " " }.description : ""
            }
            let status = Int(lines[0].split(separator: " ")[1]) ?? 0
            let hasBody = !toHead && status >= 200 && status != 204 && status != 304
            let length = hasBody ? Int(headers["content-length"] ?? "0") ?? 0 : 0
            let headSize = text[..<end.upperBound].utf8.count
            guard state.bytes.count >= headSize + length else { return nil }
            let body = String(decoding: state.bytes[headSize..<headSize + length], as: UTF8.self)
            state.bytes.removeFirst(headSize + length)
            return Answer(status: status, headers: headers, body: body)
        }
    }
}
