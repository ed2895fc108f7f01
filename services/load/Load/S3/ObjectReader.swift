import NIOCore

/// Reads objects one after the other and compares each with what it may be.
struct ObjectReader: Sendable {
    private static let attempts = 5

    private let client: NIOLoopBound<S3Client>
    private let eventLoop: any EventLoop
    private let bucket: String

    init(_ settings: S3ClientSettings, bucket: String, on eventLoop: any EventLoop) async throws {
        self.eventLoop = eventLoop
        self.bucket = bucket
        client = try await eventLoop.submit {
            NIOLoopBound(S3Client(settings, on: eventLoop, first: 0), eventLoop: eventLoop)
        }.get()
    }

    /// nil when the key holds what it may hold.
    func fault(_ key: String, _ state: FinalState) async -> String? {
        var last = ""
        for attempt in 1...Self.attempts {
            do {
                let answer = try await read(key)
                switch answer.status {
                case 200: return answer.fault ?? state.fault(found: answer.version.map { "\($0)" })
                case 404: return state.fault(found: nil)
                default: last = "\(answer.status) \(answer.text)"
                }
            } catch { last = "\(error)" }
            try? await Task.sleep(for: .milliseconds(100 * attempt))
        }
        return "cannot be read: \(last)"
    }

    private func read(_ key: String) async throws -> S3Answer {
        let request = S3Request(.GET, path: S3Request.path(of: key, in: bucket), wanted: .content(key: key))
        return try await eventLoop.flatSubmit { [client] in client.value.send(request) }.get()
    }
}
