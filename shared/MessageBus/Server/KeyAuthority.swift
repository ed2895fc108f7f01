import CZeroMQ
import Logging
import Model

/// Decides which CURVE keys may connect: the ZAP handler (RFC 27) of the bus's context.
///
/// It admits a key, not a name: what the key's owner may do is looked up again for every message, so a change of the
/// directory is in force at once, also on connections that exist.
final class KeyAuthority {
    static let members = "members"
    /// Any key: the process that holds it has yet to be enrolled.
    static let newcomers = "newcomers"
    private static let address = "inproc://zeromq.zap.01"

    private let poller: SocketPoller
    private var source: SocketPoller.Source?
    private let directory: any PeerDirectory
    private let logger: Logger
    private let metrics: BusMetrics
    /// Keys that were admitted; their index is the User-Id of their connections.
    private var keys: [[UInt8]] = []
    private var indices: [[UInt8]: Int] = [:]
    private var lastLogged: UInt64 = 0

    /// Must exist before any CURVE server binds.
    init(
        _ context: ZeroMQContext, _ poller: SocketPoller, directory: any PeerDirectory, logger: Logger,
        metrics: BusMetrics
    ) throws {
        self.poller = poller
        self.directory = directory
        self.logger = logger
        self.metrics = metrics
        let socket = try ZeroMQSocket(context, ZMQ_REP)
        _ = try socket.bind(Self.address)
        source = try poller.add(socket) { [unowned self] in answer($0) }
    }

    func close() {
        if let source { poller.close(source) }
        source = nil
    }

    /// The present owner of the key by which a connection was authenticated.
    func owner(userID: Int?) -> PeerEndpoint? {
        guard let userID, keys.indices.contains(userID) else { return nil }
        return directory.peer(publicKey: keys[userID])
    }

    private func answer(_ socket: ZeroMQSocket) -> Bool {
        for _ in 0..<BusFrames.batch {
            guard let frames = socket.receiveAll() else { return socket.events & ZMQ_POLLIN != 0 }
            let userID = decide(frames)
            let reply: [[UInt8]] = [
                Array("1.0".utf8), frames.count > 1 ? frames[1] : [], Array((userID == nil ? "400" : "200").utf8),
                Array((userID == nil ? "key refused" : "").utf8), Array((userID ?? "").utf8), [],
            ]
            for (index, frame) in reply.enumerated() {
                _ = socket.send(ZeroMQMessage(frame), more: index + 1 < reply.count)
            }
        }
        return true
    }

    /// Frames: version, request id, domain, address, routing id, mechanism, key.
    private func decide(_ frames: [[UInt8]]) -> String? {
        guard frames.count == 7, frames[0] == Array("1.0".utf8), frames[5] == Array("CURVE".utf8),
            frames[6].count == 32
        else { return nil }
        if frames[2] == Array(Self.newcomers.utf8) { return "newcomer" }
        let key = frames[6]
        guard frames[2] == Array(Self.members.utf8), directory.peer(publicKey: key) != nil else {
            refused(key, from: String(decoding: frames[3], as: UTF8.self))
            return nil
        }
        return String(index(of: key))
    }

    private func index(of key: [UInt8]) -> Int {
        if let index = indices[key] { return index }
        keys.append(key)
        indices[key] = keys.count - 1
        return keys.count - 1
    }

    private func refused(_ key: [UInt8], from address: String) {
        metrics.rejectedHandshakes.increment()
        let now = monotonicNanoseconds()
        guard now - lastLogged > 10_000_000_000 else { return }
        lastLogged = now
        logger.warning(
            "refused a connection: its key is not enrolled",
            metadata: ["key": "\(hexDigits(of: key))", "address": "\(address)"])
    }
}
