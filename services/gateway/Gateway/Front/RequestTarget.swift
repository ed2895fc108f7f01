import S3Protocol
import Signatures

/// Which bucket and key a request is about, taken from its target and host.
struct RequestTarget: Sendable, Equatable {
    /// Percent-encoded, as on the wire, without scheme, authority and query.
    var rawPath: String
    var rawQuery: String
    /// Lower case, without port; "" when the request names none.
    var host: String
    var bucket: String?
    var key: String?
    /// The bucket stands in the host (virtual-host style), not in the path.
    var isVirtualHost = false
    /// The host is the bucket's name as a website.
    var isWebsite = false

    /// - Parameters:
    ///   - uri: `/path?query`, or `http://host/path?query` as sent to a proxy.
    init(uri: String, hostHeader: String?, names: HostNames) throws(S3Error) {
        var path = uri[...]
        host = HostNames.withoutPort(hostHeader ?? "")
        if uri.utf8.first != UInt8(ascii: "/") {
            guard let authority = Self.authority(of: &path) else { throw S3Error(.invalidURI) }
            let named = HostNames.withoutPort(authority)
            // One request must not mean one thing to us and another to a proxy before us.
            guard hostHeader == nil || named == host else {
                throw S3Error(.invalidRequest, "The Host header differs from the request's target.")
            }
            host = named
        }
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "#") }) else {
            throw S3Error(.invalidURI)
        }
        let question = path.utf8.firstIndex(of: UInt8(ascii: "?")) ?? path.endIndex
        rawPath = question == path.startIndex ? "/" : String(path[..<question])
        rawQuery = question == path.endIndex ? "" : String(path[path.index(after: question)...])
        try locate(names)
    }

    private mutating func locate(_ names: HostNames) throws(S3Error) {
        var rest = rawPath.utf8.dropFirst()
        if let bucket = names.website(inHost: host) {
            self.bucket = bucket
            (isVirtualHost, isWebsite) = (true, true)
        } else if let bucket = names.bucket(inHost: host) {
            self.bucket = bucket
            isVirtualHost = true
        } else {
            let slash = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
            if slash != rest.startIndex { bucket = try Self.text(rest[..<slash]) }
            guard bucket != nil || slash == rest.endIndex else { throw S3Error(.invalidBucketName) }
            rest = slash == rest.endIndex ? rest[rest.endIndex...] : rest[rest.index(after: slash)...]
        }
        if !rest.isEmpty { key = try Self.text(rest) }
    }

    /// Takes `http://authority` off.
    private static func authority(of target: inout Substring) -> String? {
        for scheme in ["http://", "https://"] where target.lowercased().hasPrefix(scheme) {
            let rest = target.dropFirst(scheme.utf8.count)
            let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            target = rest[end...]
            let authority = String(rest[..<end])
            return authority.isEmpty || authority.contains("@") ? nil : authority
        }
        return nil
    }

    private static func text(_ bytes: some Sequence<UInt8>) throws(S3Error) -> String {
        guard let text = String(validating: try percentDecoded(bytes), as: UTF8.self) else {
            throw S3Error(.invalidURI)
        }
        return text
    }
}

/// The names under which a gateway is reached: tells whether a host names a bucket.
struct HostNames: Sendable {
    /// Lower case, without ports.
    private let own: Set<String>
    /// Domains of which each name is that of a bucket as a website.
    private let websites: [String]
    /// Added at run time by the operator.
    private let more: @Sendable () -> Set<String>

    init(_ names: [String], websites: [String] = [], more: @escaping @Sendable () -> Set<String> = { [] }) {
        own = Set(names.map(Self.withoutPort))
        self.websites = websites.map(Self.withoutPort)
        self.more = more
    }

    /// The bucket of `bucket.WEBSITE-DOMAIN`.
    func website(inHost host: String) -> String? {
        guard let domain = websites.first(where: { host.hasSuffix("." + $0) }) else { return nil }
        let bucket = host.dropLast(domain.utf8.count + 1)
        return bucket.isEmpty ? nil : String(bucket)
    }

    /// The bucket of `bucket.OWN-NAME`; nil for an own name, an address, and for foreign names: those are another name of
    /// the gateway that it was not told, and their requests are path style.
    func bucket(inHost host: String) -> String? {
        let more = more()
        guard !host.isEmpty, !own.contains(host), !more.contains(host) else { return nil }
        var rest = host[...]
        while let dot = rest.firstIndex(of: ".") {
            rest = rest[rest.index(after: dot)...]
            let name = String(rest)
            if own.contains(name) || more.contains(name) { return String(host[..<dot]) }
        }
        return Self.bucketOfAmazon(host)
    }

    /// `bucket.s3.REGION.amazonaws.com` and `bucket.s3-REGION.amazonaws.com`, for clients that use us as their proxy.
    private static func bucketOfAmazon(_ host: String) -> String? {
        let suffix = ".amazonaws.com"
        guard host.hasSuffix(suffix) else { return nil }
        let labels = host.dropLast(suffix.count).split(separator: ".", omittingEmptySubsequences: false)
        guard let service = labels.lastIndex(where: { $0 == "s3" || $0.hasPrefix("s3-") }), service > 0 else {
            return nil
        }
        return labels[..<service].joined(separator: ".")
    }

    static func withoutPort(_ host: String) -> String {
        let host = host.lowercased()
        let bytes = host.utf8
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")), !bytes[colon...].contains(UInt8(ascii: "]")) else {
            return host
        }
        return String(host[..<colon])
    }
}
