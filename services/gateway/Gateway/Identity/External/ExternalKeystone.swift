import Checksums
import Model
import NIOHTTP1
import Synchronization

/// Another Keystone as the source of identity: its tokens are validated there, by `GET /v3/auth/tokens`, and what it said is
/// remembered for a while.
final class ExternalKeystone: Sendable {
    /// How Martlet logs in there to ask about others' tokens.
    struct Account: Sendable {
        var user: String
        var password: String
        var project: String
        var domain: String
    }

    /// The Keystone cannot tell now: 503, so that clients try again.
    struct Unavailable: Error, CustomStringConvertible {
        var description: String
    }

    private struct Known {
        /// nil: the token is no good.
        var token: KeystoneToken?
        var goodUntil: Int64
    }

    private struct State {
        var known: [[UInt8]: Known] = [:]
        var asking: [[UInt8]: Task<KeystoneToken?, any Error>] = [:]
        var ownToken: String?
    }

    private static let knownMax = 10_000
    private static let askingMax = 256
    /// A token that is no good is asked about again after that.
    private static let refusedFor: Int64 = 10_000
    /// More than any token has.
    private static let textMax = 8192

    private let client: any KeystoneAsking
    private let account: Account
    private let rememberedFor: Int64
    /// Milliseconds since 1970.
    private let clock: @Sendable () -> Int64
    /// Tokens are remembered as keyed hashes, by a key that only this process has.
    private let key = randomBytes(32)
    private let state = Mutex(State())

    init(
        client: any KeystoneAsking, account: Account, rememberedFor: Duration, clock: @escaping @Sendable () -> Int64
    ) {
        self.client = client
        self.account = account
        self.rememberedFor = Int64(rememberedFor / .milliseconds(1))
        self.clock = clock
    }

    /// Whose token this is; nil: it is no good.
    /// - Throws: ``Unavailable``.
    func token(_ text: String) async throws(Unavailable) -> KeystoneToken? {
        guard (1...Self.textMax).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return nil
        }
        let mark = hmac(.sha256, key: key, text)
        let now = clock()
        let (known, task) = try state.withLock {
            state throws(Unavailable) -> (Known?, Task<KeystoneToken?, any Error>?) in
            if let known = state.known[mark], known.goodUntil > now { return (known, nil) }
            if let task = state.asking[mark] { return (nil, task) }
            guard state.asking.count < Self.askingMax else {
                throw Unavailable(description: "too many tokens to ask about at a time")
            }
            let task = Task { try await self.validate(text, mark) }
            state.asking[mark] = task
            return (nil, task)
        }
        if let known { return known.token }
        do {
            let token = try await task?.value
            return token.flatMap { $0.expires > clock() ? $0 : nil }
        } catch let error as Unavailable { throw error } catch { throw Unavailable(description: "\(error)") }
    }

    private func validate(_ text: String, _ mark: [UInt8]) async throws -> KeystoneToken? {
        defer { state.withLock { _ = $0.asking.removeValue(forKey: mark) } }
        let token = try await ask(text)
        let now = clock()
        let goodUntil = token.map { min($0.expires, now + rememberedFor) } ?? now + Self.refusedFor
        state.withLock { state in
            if state.known.count >= Self.knownMax { state.known = state.known.filter { $0.value.goodUntil > now } }
            if state.known.count >= Self.knownMax { state.known.removeAll() }
            state.known[mark] = Known(token: token, goodUntil: goodUntil)
        }
        return token
    }

    // MARK: - The dialogue

    private func ask(_ text: String) async throws -> KeystoneToken? {
        for isLastTry in [false, true] {
            let own = try await ownToken(renewed: isLastTry)
            let reply = try await send(
                KeystoneQuestion(
                    method: .GET, path: "/v3/auth/tokens?nocatalog",
                    headers: ["X-Auth-Token": own, "X-Subject-Token": text]))
            switch reply.status {
            case 200:
                guard let token = KeystoneToken(JSON(parsing: reply.body)) else {
                    throw Unavailable(description: "an answer about a token that is not understood")
                }
                return token
            case 404: return nil
            case 401 where !isLastTry: continue
            default: throw Unavailable(description: "status \(reply.status) about a token")
            }
        }
        return nil
    }

    /// The token of our own account.
    private func ownToken(renewed: Bool) async throws -> String {
        if !renewed, let held = state.withLock({ $0.ownToken }) { return held }
        let domain: JSON = ["id": .text(account.domain)]
        let login: JSON = [
            "auth": [
                "identity": [
                    "methods": ["password"],
                    "password": [
                        "user": ["name": .text(account.user), "domain": domain, "password": .text(account.password)]
                    ],
                ],
                "scope": ["project": ["name": .text(account.project), "domain": domain]],
            ]
        ]
        let reply = try await send(
            KeystoneQuestion(method: .POST, path: "/v3/auth/tokens?nocatalog", body: login.encoded))
        guard reply.status == 201, let own = reply.headers.first(name: "x-subject-token") else {
            throw Unavailable(description: "status \(reply.status) to the login of \(account.user)")
        }
        state.withLock { $0.ownToken = own }
        return own
    }

    private func send(_ question: KeystoneQuestion) async throws -> KeystoneReply {
        do { return try await client.send(question) } catch { throw Unavailable(description: "\(error)") }
    }
}
