import Model

/// How a bucket is served as a website: a body of `WebsiteConfiguration`.
public struct WebsiteConfiguration: Sendable, Equatable {
    public struct Redirect: Sendable, Equatable {
        public var scheme: String?
        public var host: String?
        public var replaceKeyPrefix: String?
        public var replaceKey: String?
        /// Of the answer.
        public var status: Int
    }

    public struct Rule: Sendable, Equatable {
        public var keyPrefix: String?
        /// The rule is for requests that failed with this status.
        public var errorStatus: Int?
        public var redirect: Redirect
    }

    public static let rulesMax = 50

    /// Every request is sent to another host.
    public var redirectAll: Redirect?
    public var indexSuffix: String?
    public var errorKey: String?
    public var rules: [Rule] = []

    public init(parsing bytes: [UInt8]) throws(S3Error) {
        guard !bytes.isEmpty else { throw S3Error(.missingRequestBody) }
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "WebsiteConfiguration" else { throw S3Error(.malformedXML) }
        if let all = root.child("RedirectAllRequestsTo") {
            guard root.children.count == 1, let host = all.value("HostName"), !host.isEmpty else {
                throw S3Error(.malformedXML)
            }
            redirectAll = Redirect(scheme: try Self.scheme(all), host: host, status: 301)
            return
        }
        guard let suffix = root.child("IndexDocument")?.value("Suffix") else {
            throw S3Error.invalidArgument(
                "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
                name: "IndexDocument", value: "null")
        }
        guard !suffix.isEmpty, !suffix.contains("/") else {
            throw S3Error.invalidArgument(
                "The IndexDocument Suffix is not well formed", name: "IndexDocument", value: suffix)
        }
        indexSuffix = suffix
        if let error = root.child("ErrorDocument") {
            guard let key = error.value("Key"), !key.isEmpty else { throw S3Error(.malformedXML) }
            errorKey = key
        }
        let elements = root.child("RoutingRules")?.children("RoutingRule") ?? []
        guard elements.count <= Self.rulesMax else {
            throw S3Error(
                .invalidRequest,
                "\(elements.count) routing rules provided, the number of routing rules in a website configuration is "
                    + "limited to \(Self.rulesMax).")
        }
        for element in elements { rules.append(try Self.rule(element)) }
    }

    private static func scheme(_ node: XMLNode) throws(S3Error) -> String? {
        guard let scheme = node.value("Protocol"), !scheme.isEmpty else { return nil }
        guard scheme == "http" || scheme == "https" else {
            throw S3Error(
                .invalidRequest,
                "Invalid protocol, protocol can be http or https. If not defined the "
                    + "protocol will be selected automatically.")
        }
        return scheme
    }

    private static func rule(_ element: XMLNode) throws(S3Error) -> Rule {
        guard let redirect = element.child("Redirect"), !redirect.children.isEmpty else { throw S3Error(.malformedXML) }
        let condition = element.child("Condition")
        let status = try condition?.value("HttpErrorCodeReturnedEquals").map { text throws(S3Error) in
            guard let status = Int(text), (400...599).contains(status) else {
                throw S3Error(
                    .invalidRequest, "The provided HTTP error code (\(text)) is not valid. Valid codes are 4XX or 5XX.")
            }
            return status
        }
        let prefix = condition?.value("KeyPrefixEquals")
        guard condition == nil || status != nil || prefix != nil else {
            throw S3Error(.invalidRequest, "Condition cannot be empty.")
        }
        let code = redirect.value("HttpRedirectCode") ?? "301"
        guard let redirectStatus = Int(code), (301...399).contains(redirectStatus), redirectStatus != 304 else {
            throw S3Error(
                .invalidRequest,
                "The provided HTTP redirect code (\(code)) is not valid. Valid codes are 3XX except 300.")
        }
        let (replaced, whole) = (redirect.value("ReplaceKeyPrefixWith"), redirect.value("ReplaceKeyWith"))
        guard replaced == nil || whole == nil else {
            throw S3Error(.invalidRequest, "You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
        }
        return Rule(
            keyPrefix: prefix, errorStatus: status,
            redirect: Redirect(
                scheme: try scheme(redirect), host: redirect.value("HostName"), replaceKeyPrefix: replaced,
                replaceKey: whole, status: redirectStatus))
    }

    // MARK: - Decisions

    /// Where a request is sent before anything is looked up, or after it has failed with a status.
    public func redirect(of key: String, failedWith status: Int? = nil) -> (location: Target, status: Int)? {
        if let redirectAll { return (Target(redirectAll, key: key, prefix: ""), 301) }
        let rule = rules.first { rule in
            rule.errorStatus == status && (rule.keyPrefix.map { key.utf8.starts(with: $0.utf8) } ?? true)
        }
        return rule.map { (Target($0.redirect, key: key, prefix: $0.keyPrefix ?? ""), $0.redirect.status) }
    }

    /// An address; what is nil is as in the request.
    public struct Target: Sendable, Equatable {
        public var scheme: String?
        public var host: String?
        public var key: String

        init(_ redirect: Redirect, key: String, prefix: String) {
            (scheme, host) = (redirect.scheme, redirect.host)
            if let whole = redirect.replaceKey {
                self.key = whole
            } else if let replaced = redirect.replaceKeyPrefix {
                self.key = replaced + String(decoding: Array(key.utf8).dropFirst(prefix.utf8.count), as: UTF8.self)
            } else {
                self.key = key
            }
        }
    }
}
