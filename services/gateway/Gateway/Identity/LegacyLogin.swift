import NIOHTTP1
import Synchronization
import Wire

/// The login of Swift's first clients (tempauth): user and key in headers, the answer in headers.
extension IdentityAPI {
    /// `GET /auth/v1.0`; S3QL asks `GET /v1.0`.
    func legacyLogin(_ request: SwiftRequest, _ trace: SwiftTrace) async throws -> S3Response {
        guard ["GET", "HEAD"].contains(request.method) else {
            throw SwiftError(405, headers: ["Allow": "GET, HEAD"])
        }
        let name = request.header("x-auth-user") ?? request.header("x-storage-user") ?? ""
        let key = request.header("x-auth-key") ?? request.header("x-storage-pass") ?? ""
        let parts = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard !key.isEmpty, let user = parts.last, !user.isEmpty else { throw Self.refusal(parts.first ?? "") }
        let scope = LoginScope(project: parts.count == 2 ? .name(parts[0]) : .byDefault)
        do {
            let (text, credentials) = try await tokens.login(user: user, password: key, scope: scope)
            guard let project = credentials.project else { throw Unauthorized() }
            trace.note(user: user)
            return try await answer(request, text, credentials, project)
        } catch is Unauthorized {
            throw Self.refusal(parts.count == 2 ? parts[0] : "")
        }
    }

    private func answer(
        _ request: SwiftRequest, _ text: String, _ credentials: Credentials, _ project: ProjectRecord
    ) async throws -> S3Response {
        var (text, token) = (text, credentials.token)
        if let known = legacyTokens.token(of: token), let held = try? await tokens.authenticate(known) {
            // A good one with half of its life before it.
            let life = held.token.expiresMilliseconds - held.token.issuedMilliseconds
            if held.token.expiresMilliseconds - tokens.clock() > life / 2 { (text, token) = (known, held.token) }
        }
        legacyTokens.remember(text, of: token)
        let seconds = max(0, (token.expiresMilliseconds - tokens.clock()) / 1000)
        return S3Response(headers: [
            "X-Storage-Url": settings.storageURL(ofProject: project.id, for: request), "X-Auth-Token": text,
            "X-Storage-Token": text, "X-Auth-Token-Expires": String(seconds),
            "Content-Type": "text/plain; charset=utf-8",
        ])
    }

    private static func refusal(_ realm: String) -> SwiftError {
        SwiftError(401, headers: ["Www-Authenticate": "Swift realm=\"\(SwiftAuthorization.realm(realm))\""])
    }
}

/// The tokens that users of v1 logins hold, bounded.
final class LegacyTokens: Sendable {
    private static let countMax = 4096
    private let texts = Mutex<[String: String]>([:])

    func token(of content: TokenContent) -> String? { texts.withLock { $0[Self.key(content)] } }

    func remember(_ text: String, of content: TokenContent) {
        texts.withLock { texts in
            if texts.count >= Self.countMax { texts.removeAll() }
            texts[Self.key(content)] = text
        }
    }

    private static func key(_ content: TokenContent) -> String { content.project + " " + content.user }
}
