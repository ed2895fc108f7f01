import MessageBus
import NIOCore
import NIOHTTP1
import Wire

/// The addresses of identity: v1 logins of the old clients, Keystone v2.0 and v3.
struct IdentityAPI: Sendable {
    let tokens: TokenService
    let settings: SwiftServiceSettings
    /// Tokens that v1 logins were given: the same is given again while it is good.
    let legacyTokens = LegacyTokens()

    /// Keystone's own limit is 112 KiB.
    static let bodyMax = 64 << 10

    static func serves(_ path: String) -> Bool {
        path == "/" || path == "/v1.0" || path == "/v1.0/" || path == "/auth" || path.hasPrefix("/auth/")
            || path == "/v2.0" || path.hasPrefix("/v2.0/") || path == "/v3" || path.hasPrefix("/v3/")
    }

    func handle(_ request: SwiftRequest, path: String, _ trace: SwiftTrace) async throws -> S3Response {
        if path.hasPrefix("/v1.0") || path.hasPrefix("/auth") {
            return try await legacyLogin(request, trace)
        }
        let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        do {
            if path.hasPrefix("/v2.0") { return try await v2(request, path, trace) }
            if path.hasPrefix("/v3") { return try await v3(request, path, trace) }
            return versions(request)
        } catch is Unauthorized {
            return unauthorized(request)
        } catch let error as KeystoneError {
            return error.response
        }
    }

    // MARK: - Errors

    /// The same for every bad login and token.
    private func unauthorized(_ request: SwiftRequest) -> S3Response {
        var response = KeystoneError.unauthorized.response
        response.headers.add(
            name: "WWW-Authenticate", value: "Keystone uri=\"\(settings.origin(of: request))/v3\"")
        return response
    }

    // MARK: - What versions use

    func document(of request: SwiftRequest) async throws -> JSON {
        let bytes: ByteBuffer
        do { bytes = try await request.body.collect(upTo: Self.bodyMax) } catch {
            throw SwiftError(error)
        }
        guard let document = JSON(parsing: bytes.readableBytesView), document.isObject else {
            throw KeystoneError(400, "Malformed json in request body")
        }
        return document
    }

    /// The one who asks, by the token in the header.
    func caller(_ request: SwiftRequest, _ trace: SwiftTrace) async throws -> Credentials {
        guard let text = request.header("x-auth-token") else { throw Unauthorized() }
        let credentials = try await tokens.authenticate(text)
        trace.note(user: credentials.user.id)
        return credentials
    }

    /// Somebody else's token, for those who may ask about it.
    func subject(_ text: String, for caller: Credentials) async throws -> Credentials {
        let subject: Credentials
        do { subject = try await tokens.authenticate(text) } catch is Unauthorized {
            throw KeystoneError(404, "Could not recognize Fernet token")
        }
        guard subject.user.id == caller.user.id || caller.isIdentityAdministrator else {
            throw KeystoneError(403, "You are not authorized to perform the requested action.")
        }
        return subject
    }
}

/// An error in Keystone's form.
struct KeystoneError: Error, Sendable {
    var status: Int
    var message: String

    init(_ status: Int, _ message: String) {
        self.status = status
        self.message = message
    }

    static let unauthorized = KeystoneError(401, "The request you have made requires authentication.")
    static let unknownPath = SwiftError(404)
    static let methodNotAllowed = SwiftError(405)

    var response: S3Response {
        let title = SwiftError.reason(status)
        return .json(
            ["error": ["code": .number(Int64(status)), "message": .text(message), "title": .text(title)]],
            status: .init(statusCode: status))
    }
}
