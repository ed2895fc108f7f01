import NIOHTTP1
import S3Protocol
import Wire

/// Keystone v2.0, which no present Keystone serves, for clients and clouds of that time.
extension IdentityAPI {
    func v2(_ request: SwiftRequest, _ path: String, _ trace: SwiftTrace) async throws -> S3Response {
        let parts = path.split(separator: "/").dropFirst().map(String.init)
        switch (parts.first, parts.count, request.method) {
        case (nil, 0, "GET"), (nil, 0, "HEAD"):
            return .json(["version": Self.versionTwo(settings.origin(of: request))])
        case ("extensions", 1, "GET"): return .json(["extensions": ["values": []]])
        case ("tokens", 1, "POST"): return try await legacyIssue(request, trace)
        case ("tokens", 2, "GET"), ("tokens", 2, "HEAD"):
            let subject = try await subject(parts[1], for: try await caller(request, trace))
            return .json(access(parts[1], subject, request))
        case ("tokens", 2, "DELETE"):
            let subject = try await subject(parts[1], for: try await caller(request, trace))
            try await tokens.revoke(subject.token, context: request.context)
            return S3Response(status: .noContent)
        case ("tenants", 1, "GET"):
            let caller = try await caller(request, trace)
            return .json(["tenants": .list(projects(of: caller.user).map(tenant)), "tenants_links": []])
        default: throw KeystoneError.unknownPath
        }
    }

    private func legacyIssue(_ request: SwiftRequest, _ trace: SwiftTrace) async throws -> S3Response {
        guard let auth = try await document(of: request)["auth"], auth.isObject else {
            throw KeystoneError(400, "Expecting to find auth in request body.")
        }
        let scope: LoginScope
        if let name = auth["tenantName"]?.text, !name.isEmpty {
            scope = LoginScope(project: .name(name))
        } else if let id = auth["tenantId"]?.text, !id.isEmpty {
            scope = LoginScope(project: .id(id))
        } else {
            scope = LoginScope(project: .none)
        }
        let text: String
        let credentials: Credentials
        if let given = auth["passwordCredentials"], let password = given["password"]?.text {
            guard let user = given["username"]?.text ?? given["userId"]?.text else {
                throw KeystoneError(400, "Expecting to find username or userId in passwordCredentials.")
            }
            (text, credentials) = try await tokens.login(user: user, password: password, scope: scope)
        } else if let id = auth["token"]?["id"]?.text {
            (text, credentials) = try await tokens.login(token: id, scope: scope)
        } else {
            throw KeystoneError(400, "Expecting to find passwordCredentials or token in auth.")
        }
        trace.note(user: credentials.user.id)
        var response = S3Response.json(access(text, credentials, request))
        response.headers.add(name: "Vary", value: "X-Auth-Token")
        return response
    }

    private func access(_ text: String, _ credentials: Credentials, _ request: SwiftRequest) -> JSON {
        let (user, content) = (credentials.user, credentials.token)
        var token: [String: JSON] = [
            "id": .text(text), "expires": .text(Self.wholeSeconds(content.expiresMilliseconds)),
            "issued_at": .text(Self.wholeSeconds(content.issuedMilliseconds)),
            "audit_ids": .list(content.auditIDs.map(JSON.text)),
        ]
        if let project = credentials.project { token["tenant"] = tenant(project) }
        return [
            "access": [
                "token": .object(token),
                "serviceCatalog": credentials.project.map { serviceCatalog(ofProject: $0.id, request) } ?? [],
                "user": [
                    "id": .text(user.id), "name": .text(user.id), "username": .text(user.id), "roles_links": [],
                    "roles": .list(credentials.roles.map { ["name": .text($0)] }),
                ],
                "metadata": [
                    "is_admin": 0, "roles": .list(credentials.roles.map { .text(Self.roleID($0)) }),
                ],
            ]
        ]
    }

    private func tenant(_ project: ProjectRecord) -> JSON {
        [
            "id": .text(project.id), "name": .text(project.name), "enabled": true,
            "description": .text(project.description),
        ]
    }

    private static func wholeSeconds(_ milliseconds: Int64) -> String {
        HTTPDate.iso8601(milliseconds: milliseconds).dropLast(5) + "Z"
    }
}
