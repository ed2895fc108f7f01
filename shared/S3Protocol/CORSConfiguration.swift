import Model

/// Which scripts of which sites may use a bucket from a browser: a body of `CORSConfiguration`.
public struct CORSConfiguration: Sendable, Equatable {
    public struct Rule: Sendable, Equatable {
        public var origins: [String]
        public var methods: [String]
        /// Of the request; patterns with at most one `*`.
        public var headers: [String]
        /// Of the answer.
        public var exposed: [String]
        public var maxAgeSeconds: Int?
    }

    /// What a browser asks for.
    public struct Request: Sendable {
        public var origin: String
        public var method: String
        public var headers: [String]

        public init(origin: String, method: String, headers: [String] = []) {
            self.origin = origin
            self.method = method
            self.headers = headers
        }
    }

    public static let rulesMax = 100
    private static let methodsKnown: Set = ["GET", "PUT", "HEAD", "POST", "DELETE"]

    public var rules: [Rule] = []

    public init(parsing bytes: [UInt8]) throws(S3Error) {
        guard !bytes.isEmpty else { throw S3Error(.missingRequestBody) }
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        let elements = root.children("CORSRule")
        guard root.name == "CORSConfiguration", (1...Self.rulesMax).contains(elements.count),
            elements.count == root.children.count
        else { throw S3Error(.malformedXML) }
        for element in elements { rules.append(try Self.rule(element)) }
    }

    private static func rule(_ element: XMLNode) throws(S3Error) -> Rule {
        func values(_ name: String) -> [String] { element.children(name).map { $0.text.trimmed } }
        let age = element.value("MaxAgeSeconds")
        let rule = Rule(
            origins: values("AllowedOrigin"), methods: values("AllowedMethod"), headers: values("AllowedHeader"),
            exposed: values("ExposeHeader"), maxAgeSeconds: age.flatMap { Int32($0) }.map(Int.init))
        guard !rule.origins.isEmpty, !rule.methods.isEmpty, age == nil || rule.maxAgeSeconds.map({ $0 >= 0 }) == true
        else { throw S3Error(.malformedXML) }
        if let method = rule.methods.first(where: { !methodsKnown.contains($0) }) {
            throw S3Error(
                .invalidRequest, "Found unsupported HTTP method in CORS config. Unsupported method is \(method)")
        }
        if let origin = rule.origins.first(where: { $0.count { $0 == "*" } > 1 }) {
            throw S3Error(.invalidRequest, "AllowedOrigin \"\(origin)\" can not have more than one wildcard.")
        }
        if let header = rule.headers.first(where: { $0.count { $0 == "*" } > 1 }) {
            throw S3Error(.invalidRequest, "AllowedHeader \"\(header)\" can not have more than one wildcard.")
        }
        if let header = rule.exposed.first(where: { $0.contains("*") }) {
            throw S3Error(
                .invalidRequest,
                "ExposeHeader \"\(header)\" contains wildcard. We currently do not support wildcard for ExposeHeader.")
        }
        return rule
    }

    /// The first rule that lets the request through.
    public func rule(for request: Request) -> Rule? {
        rules.first { rule in
            rule.methods.contains(request.method) && rule.origins.contains { Self.matches(request.origin, $0) }
                && request.headers.allSatisfy { header in
                    rule.headers.contains { Self.matches(header.lowercased(), $0.lowercased()) }
                }
        }
    }

    /// At most one `*`, for any text.
    private static func matches(_ text: String, _ pattern: String) -> Bool {
        guard let star = pattern.firstIndex(of: "*") else { return text == pattern }
        let (prefix, suffix) = (pattern[..<star], pattern[pattern.index(after: star)...])
        return text.utf8.count >= prefix.utf8.count + suffix.utf8.count && text.hasPrefix(prefix)
            && text.hasSuffix(suffix)
    }
}

extension CORSConfiguration.Rule {
    /// The headers that let a browser use the answer. Every site is told apart, unless the rule is for all.
    public func answer(to request: CORSConfiguration.Request, isPreflight: Bool) -> [(name: String, value: String)] {
        let isForAll = origins.contains("*")
        var fields = [
            ("Access-Control-Allow-Origin", isForAll ? "*" : request.origin),
            ("Access-Control-Allow-Methods", methods.joined(separator: ", ")),
        ]
        if !isForAll { fields.append(("Access-Control-Allow-Credentials", "true")) }
        if isPreflight, !request.headers.isEmpty {
            fields.append(
                ("Access-Control-Allow-Headers", request.headers.map { $0.lowercased() }.joined(separator: ", ")))
        }
        if !exposed.isEmpty { fields.append(("Access-Control-Expose-Headers", exposed.joined(separator: ", "))) }
        if let maxAgeSeconds { fields.append(("Access-Control-Max-Age", String(maxAgeSeconds))) }
        fields.append(("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"))
        return fields.map { (name: $0.0, value: $0.1) }
    }
}
