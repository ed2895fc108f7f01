import NIOCore
import NIOHTTP1

extension S3Response {
    /// How long a client waits for a sign of life.
    static let heartbeatInterval: Duration = .seconds(10)

    /// 202 at once; spaces while the work goes on, then an empty line, then what it has come to.
    static func heartbeat(
        type: String, every interval: Duration = heartbeatInterval, _ work: @escaping @Sendable () async -> [UInt8]
    ) -> S3Response {
        beating(.accepted, type, Task { await work() }, HeartbeatProgress(), interval)
    }

    /// 200 with what the work has come to; if that takes long, with spaces before it.
    static func patient(
        type: String, every interval: Duration = heartbeatInterval, _ work: @escaping @Sendable () async -> [UInt8]
    ) async -> S3Response {
        let working = Task { await work() }
        guard let bytes = await outcome(of: working, within: interval) else {
            return beating(.ok, type, working, HeartbeatProgress(isLate: true), interval)
        }
        return S3Response(headers: ["Content-Type": type], body: .bytes(ByteBuffer(bytes: bytes)))
    }

    private static func beating(
        _ status: HTTPResponseStatus, _ type: String, _ working: Task<[UInt8], Never>, _ progress: HeartbeatProgress,
        _ interval: Duration
    ) -> S3Response {
        S3Response(
            status: status, headers: ["Content-Type": type],
            body: .open {
                guard !progress.isEnded else { return nil }
                if progress.isLate {
                    (progress.isLate, progress.hasBeaten) = (false, true)
                    return ByteBuffer(string: " ")
                }
                guard let bytes = await outcome(of: working, within: interval) else {
                    progress.hasBeaten = true
                    return ByteBuffer(string: " ")
                }
                progress.isEnded = true
                return ByteBuffer(bytes: (progress.hasBeaten ? Array("\r\n\r\n".utf8) : []) + bytes)
            })
    }
}

/// One task asks.
private final class HeartbeatProgress: @unchecked Sendable {
    var hasBeaten = false
    var isEnded = false
    /// The client has waited already.
    var isLate: Bool

    init(isLate: Bool = false) { self.isLate = isLate }
}
