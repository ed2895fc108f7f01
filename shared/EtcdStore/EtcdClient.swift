import ClusterStore
import Foundation
import Logging
import NIOSSL
import Synchronization

/// Calls of the JSON gateway at whichever member answers.
final class EtcdClient: Sendable {
    static let pauseBetweenRounds = Duration.milliseconds(100)

    let options: EtcdOptions
    private let members: [EtcdMember]
    private let logger: Logger
    /// Counts the changes of member: the one in use is this, modulo their number.
    private let turns = Mutex(0)
    private let closed = Mutex(false)

    init(_ options: EtcdOptions, logger: Logger) throws(StoreError) {
        self.options = options
        self.logger = logger
        do {
            let tls: NIOSSLContext? = try options.tls.map { try EtcdMember.context($0) }
            members = options.endpoints.map { EtcdMember($0, tls: $0.usesTLS ? tls : nil) }
        } catch {
            throw .unavailable("the TLS files for etcd cannot be used: \(error)")
        }
    }

    var isClosed: Bool { closed.withLock { $0 } }

    func close() {
        closed.withLock { $0 = true }
        for member in members { member.close() }
    }

    /// Asks members in turn until one answers. They may act more than once on what is sent: it must say so itself if
    /// that would matter.
    func call<Answer: Decodable & Sendable>(
        _ path: String, _ request: some Encodable & Sendable, as type: Answer.Type = Answer.self
    ) async throws(StoreError) -> Answer {
        let body = Self.encoded(request)
        let end = ContinuousClock.now + options.patience
        var failures = 0
        while true {
            guard !isClosed else { throw .closed }
            let (turn, member) = present()
            let reason: String
            do {
                let reply = try await member.call(path, body, timeout: options.attemptTimeout)
                if reply.status == 200 { return try Self.decoded(reply.body) }
                let refusal = Self.refusal(reply)
                guard refusal.isPassing else { throw Self.error(refusal) }
                reason = refusal.text
            } catch let error as StoreError {
                throw error
            } catch {
                reason = "\(error)"
            }
            failures += 1
            passOver(turn, member, reason)
            guard ContinuousClock.now < end, !Task.isCancelled else {
                throw .unavailable("no member of etcd answers, the last said: \(reason)")
            }
            if failures.isMultiple(of: members.count) { try? await Task.sleep(for: Self.pauseBetweenRounds) }
        }
    }

    /// Opens a streamed answer at the member of a turn.
    func stream(_ path: String, _ request: some Encodable & Sendable, turn: Int) async throws -> EtcdStream {
        try await members[turn % members.count].stream(
            path, Self.encoded(request), timeout: options.attemptTimeout)
    }

    /// The turn at which calls are answered.
    var turn: Int { turns.withLock { $0 } }

    private func present() -> (turn: Int, member: EtcdMember) {
        let turn = turns.withLock { $0 }
        return (turn, members[turn % members.count])
    }

    /// Only the first of those that met the same failure turns to the next member.
    private func passOver(_ turn: Int, _ member: EtcdMember, _ reason: String) {
        let turned = turns.withLock { turns in
            guard turns == turn else { return false }
            turns += 1
            return true
        }
        guard turned, !isClosed else { return }
        logger.info(
            "turning to another member of etcd", metadata: ["from": "\(member.endpoint)", "reason": "\(reason)"])
    }

    // MARK: - Messages

    static func encoded(_ request: some Encodable) -> [UInt8] {
        guard let data = try? JSONEncoder().encode(request) else {
            preconditionFailure("a request of strings is always JSON")
        }
        return Array(data)
    }

    static func decoded<Answer: Decodable>(_ body: [UInt8]) throws(StoreError) -> Answer {
        do {
            return try JSONDecoder().decode(Answer.self, from: Data(body))
        } catch {
            throw .foreignFormat("an answer of etcd is not understood: \(error)")
        }
    }

    private static func refusal(_ reply: EtcdReply) -> EtcdRefusal {
        if let refusal = try? JSONDecoder().decode(EtcdRefusal.self, from: Data(reply.body)) { return refusal }
        // With a configuration file the gateway is off unless the file turns it on.
        guard reply.status != 404 else {
            return EtcdRefusal(message: "its JSON gateway is off: set enable-grpc-gateway", code: 12)
        }
        return EtcdRefusal(message: String(decoding: reply.body.prefix(200), as: UTF8.self))
    }

    private static func error(_ refusal: EtcdRefusal) -> StoreError {
        if refusal.text.contains("requested lease not found") { return .unknownLease }
        if refusal.text.contains("has been compacted") { return .compacted(oldest: 0) }
        return .unavailable("etcd refuses: \(refusal.text)")
    }
}
