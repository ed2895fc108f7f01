import Checksums
import Model
import NIOHTTP1
import S3Protocol
import Wire

/// Keystone v3: tokens by password, token and application credential.
extension IdentityAPI {
    func v3(_ request: SwiftRequest, _ path: String, _ trace: SwiftTrace) async throws -> S3Response {
        switch (path, request.method) {
        case ("/v3", "GET"), ("/v3", "HEAD"):
            return .json(["version": Self.versionThree(settings.origin(of: request))])
        case ("/v3/auth/tokens", "POST"): return try await issue(request, trace)
        case ("/v3/auth/tokens", "GET"), ("/v3/auth/tokens", "HEAD"):
            let (_, subject) = try await subject(request, trace)
            var response = S3Response.json(["token": token(subject, request)])
            response.headers.add(name: "X-Subject-Token", value: request.header("x-subject-token") ?? "")
            response.headers.add(name: "Vary", value: "X-Auth-Token")
            return response
        case ("/v3/auth/tokens", "DELETE"):
            let (_, subject) = try await subject(request, trace)
            try await tokens.revoke(subject.token, context: request.context)
            return S3Response(status: .noContent)
        case ("/v3/auth/projects", "GET"):
            let caller = try await caller(request, trace)
            let projects = projects(of: caller.user).map { project -> JSON in
                [
                    "id": .text(project.id), "name": .text(project.name), "domain_id": "default", "enabled": true,
                    "description": .text(project.description), "is_domain": false, "parent_id": "default",
                    "links": ["self": "\(settings.origin(of: request))/v3/projects/\(project.id)"],
                ]
            }
            return .json(["projects": .list(projects), "links": links("auth/projects", request)])
        case ("/v3/auth/catalog", "GET"):
            let caller = try await caller(request, trace)
            guard let project = caller.project else { throw KeystoneError(403, "The token has no project.") }
            return .json([
                "catalog": catalog(ofProject: project.id, request), "links": links("auth/catalog", request),
            ])
        case ("/v3/auth/tokens", _): throw SwiftError(405, headers: ["Allow": "DELETE, GET, HEAD, POST"])
        default: throw KeystoneError.unknownPath
        }
    }

    private func links(_ path: String, _ request: SwiftRequest) -> JSON {
        ["self": "\(settings.origin(of: request))/v3/\(path)", "next": nil, "previous": nil]
    }

    private func subject(_ request: SwiftRequest, _ trace: SwiftTrace) async throws -> (Credentials, Credentials) {
        let caller = try await caller(request, trace)
        guard let text = request.header("x-subject-token") else {
            throw KeystoneError(404, "Could not recognize Fernet token")
        }
        return (caller, try await subject(text, for: caller))
    }

    func projects(of user: UserRecord) -> [ProjectRecord] {
        let view = tokens.view
        return Set(user.roles.map(\.project)).compactMap { view.projects[$0] }.sorted { $0.name < $1.name }
    }

    // MARK: - Logins

    private func issue(_ request: SwiftRequest, _ trace: SwiftTrace) async throws -> S3Response {
        let document = try await document(of: request)
        guard let auth = document["auth"], auth.isObject else {
            throw KeystoneError(
                400,
                "Expecting to find auth in request body. The server could not comply with the request since it is either "
                    + "malformed or otherwise incorrect. The client is assumed to be in error.")
        }
        guard let methods = auth["identity"]?["methods"]?.list?.compactMap(\.text), !methods.isEmpty else {
            throw KeystoneError(400, "Invalid input for field 'identity': 'methods' is a required property")
        }
        let (text, credentials) = try await login(auth, methods)
        trace.note(user: credentials.user.id)
        var response = S3Response.json(
            ["token": token(credentials, request, withCatalog: request.query["nocatalog"] == nil)], status: .created)
        response.headers.add(name: "X-Subject-Token", value: text)
        response.headers.add(name: "Vary", value: "X-Auth-Token")
        return response
    }

    private func login(_ auth: JSON, _ methods: [String]) async throws -> (String, Credentials) {
        let identity = auth["identity"] ?? nil
        // One method decides; several at once would need rules of their own.
        switch methods {
        case ["password"]:
            guard let user = identity["password"]?["user"], let password = user["password"]?.text else {
                throw KeystoneError(400, "Invalid input for field 'identity/password': 'user' is a required property")
            }
            return try await tokens.login(
                user: try Self.name(of: user), password: password, scope: try Self.scope(auth["scope"]))
        case ["token"]:
            guard let id = identity["token"]?["id"]?.text else {
                throw KeystoneError(400, "Invalid input for field 'identity/token': 'id' is a required property")
            }
            return try await tokens.login(token: id, scope: try Self.scope(auth["scope"]))
        case ["application_credential"]:
            guard auth["scope"] == nil else {
                throw KeystoneError(401, "Application credentials cannot request a scope.")
            }
            return try await login(applicationCredential: identity["application_credential"] ?? nil)
        default: throw Unauthorized()
        }
    }

    private func login(applicationCredential given: JSON) async throws -> (String, Credentials) {
        guard let secret = given["secret"]?.text else {
            throw KeystoneError(
                400, "Invalid input for field 'identity/application_credential': 'secret' is a required property")
        }
        if let id = given["id"]?.text {
            return try await tokens.login(applicationCredential: id, of: nil, secret: secret)
        }
        guard let name = given["name"]?.text, let user = given["user"] else {
            throw KeystoneError(
                400, "Invalid input for field 'identity/application_credential': 'id' or 'name' is a required property")
        }
        return try await tokens.login(applicationCredential: name, of: try Self.name(of: user), secret: secret)
    }

    /// A user's id is the name: both forms are one. The domain must be the only one there is.
    private static func name(of user: JSON) throws -> String {
        if let id = user["id"]?.text { return id }
        guard let name = user["name"]?.text else {
            throw KeystoneError(400, "Invalid input for field 'user': 'id' or 'name' is a required property")
        }
        guard isDefaultDomain(user["domain"]) else { throw Unauthorized() }
        return name
    }

    private static func scope(_ scope: JSON?) throws -> LoginScope {
        guard let scope else { return LoginScope(project: .byDefault) }
        if scope.text == "unscoped" || scope["unscoped"] != nil { return LoginScope(project: .none) }
        guard let project = scope["project"] else { return LoginScope(project: .impossible) }
        if let id = project["id"]?.text { return LoginScope(project: .id(id)) }
        guard let name = project["name"]?.text else {
            throw KeystoneError(400, "Invalid input for field 'scope/project': 'id' or 'name' is a required property")
        }
        guard isDefaultDomain(project["domain"]) else { return LoginScope(project: .impossible) }
        return LoginScope(project: .name(name))
    }

    private static func isDefaultDomain(_ domain: JSON?) -> Bool {
        if let id = domain?["id"]?.text { return id == "default" }
        return domain?["name"]?.text?.lowercased() == "default"
    }

    // MARK: - Tokens as documents

    private func token(_ credentials: Credentials, _ request: SwiftRequest, withCatalog: Bool = true) -> JSON {
        let (user, content) = (credentials.user, credentials.token)
        let domain: JSON = ["id": "default", "name": "Default"]
        var token: [String: JSON] = [
            "methods": .list(content.methods.map(JSON.text)),
            "user": [
                "id": .text(user.id), "name": .text(user.id), "domain": domain, "password_expires_at": nil,
            ],
            "audit_ids": .list(content.auditIDs.map(JSON.text)),
            "expires_at": .text(Self.time(content.expiresMilliseconds)),
            "issued_at": .text(Self.time(content.issuedMilliseconds)),
        ]
        if let project = credentials.project {
            token["project"] = ["id": .text(project.id), "name": .text(project.name), "domain": domain]
            token["is_domain"] = false
            token["roles"] = .list(
                credentials.roles.map { ["id": .text(Self.roleID($0)), "name": .text($0)] })
            if withCatalog { token["catalog"] = catalog(ofProject: project.id, request) }
        }
        let held = user.applicationCredentials.first { $0.id == content.applicationCredential }
        if let held {
            token["application_credential"] = ["id": .text(held.id), "name": .text(held.name), "restricted": true]
        }
        return .object(token)
    }

    /// With six decimals.
    private static func time(_ milliseconds: Int64) -> String {
        HTTPDate.iso8601(milliseconds: milliseconds).dropLast() + "000Z"
    }

    /// Roles are known by name; clients want an id too.
    static func roleID(_ name: String) -> String { hexDigits(of: HashAlgorithm.sha256.hash(name).prefix(16)) }
}
