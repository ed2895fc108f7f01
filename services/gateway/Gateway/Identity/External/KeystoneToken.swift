import S3Protocol

/// What another Keystone says about a token that is good.
struct KeystoneToken: Sendable, Equatable {
    struct Named: Sendable, Equatable {
        var id: String
        var name: String
        /// Of the domain that the name belongs to.
        var domain: String
    }

    var user: Named
    /// nil: the token is unscoped.
    var project: Named?
    var roles: [String]
    /// Milliseconds since 1970.
    var expires: Int64

    /// nil for anything that is no answer of `GET /v3/auth/tokens`.
    init?(_ document: JSON?) {
        guard let token = document?["token"], let user = Self.named(token["user"]),
            let expires = token["expires_at"]?.text.flatMap(HTTPDate.parseISO8601)
        else { return nil }
        self.user = user
        self.expires = expires
        project = Self.named(token["project"])
        roles = (token["roles"]?.list ?? []).compactMap { $0["name"]?.text }
    }

    private static func named(_ value: JSON?) -> Named? {
        guard let id = value?["id"]?.text, let name = value?["name"]?.text, !id.isEmpty else { return nil }
        return Named(id: id, name: name, domain: value?["domain"]?["id"]?.text ?? "")
    }
}
