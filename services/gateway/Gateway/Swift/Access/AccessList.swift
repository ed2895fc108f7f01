import Wire

/// An access control list of a container: `X-Container-Read` or `X-Container-Write`.
struct AccessList: Sendable, Equatable {
    /// Hosts that may refer to objects, in order: the last one that fits decides. `-` in front forbids.
    private(set) var referrers: [String] = []
    /// `account`, `account:user`, `*:*`, names of roles; `.rlistings` lets referrers list.
    private(set) var groups: [String] = []

    static let empty = AccessList()

    /// A list as ``cleaned(_:header:)`` leaves it.
    init(_ text: String?) {
        for item in text?.split(separator: ",") ?? [] {
            if item.hasPrefix(".r:") {
                referrers.append(String(item.dropFirst(3)))
            } else {
                groups.append(String(item))
            }
        }
    }

    private init() {}

    /// The list in one spelling; empty items are left out. 400 for what nobody could mean.
    static func cleaned(_ text: String, header: String, isWrite: Bool) throws(SwiftError) -> String {
        var items: [String] = []
        for raw in text.split(separator: ",") {
            let item = trimmed(raw)
            guard !item.isEmpty else { continue }
            guard item.hasPrefix("."), let colon = item.firstIndex(of: ":") else {
                guard !item.hasPrefix(".") || item == ".rlistings" else {
                    throw SwiftError(400, "\(header): Unknown designator in ACL: \(item)")
                }
                items.append(item)
                continue
            }
            items.append(try referrer(item, colon, header, isWrite))
        }
        return items.joined(separator: ",")
    }

    private static func referrer(
        _ item: String, _ colon: String.Index, _ header: String, _ isWrite: Bool
    ) throws(SwiftError) -> String {
        guard [".r", ".ref", ".referer", ".referrer"].contains(trimmed(item[..<colon])) else {
            throw SwiftError(400, "\(header): Unknown designator in ACL: \(item)")
        }
        guard !isWrite else { throw SwiftError(400, "\(header): Referrers not allowed in write ACL: \(item)") }
        var host = trimmed(item[item.index(after: colon)...])
        var sign = ""
        if host.hasPrefix("-") {
            sign = "-"
            host = trimmed(host.dropFirst())
        }
        if host.hasPrefix("*"), host != "*" { host = String(host.dropFirst()) }
        guard !host.isEmpty, host != "." else {
            throw SwiftError(400, "\(header): No host/domain value after referrer designation in ACL: \(item)")
        }
        return ".r:\(sign)\(host)"
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        var text = text[...]
        while let first = text.first, first == " " || first == "\t" { text = text.dropFirst() }
        while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
        return String(text)
    }

    // MARK: - Who is on it

    var listsForReferrers: Bool { groups.contains(".rlistings") }

    /// - Parameter referer: the request's header.
    func admits(referer: String?) -> Bool {
        let host = Self.host(of: referer)
        var allowed = false
        for entry in referrers {
            let isForbidden = entry.hasPrefix("-")
            let name = isForbidden ? String(entry.dropFirst()) : entry
            if name == "*" || name == host || name.hasPrefix(".") && host.hasSuffix(name) { allowed = !isForbidden }
        }
        return allowed
    }

    func admits(_ credentials: Credentials) -> Bool {
        guard let project = credentials.project else { return false }
        let users = [credentials.user.id, credentials.userName].compactMap(\.self)
        var names: Set<String> = ["*:*"]
        for user in users { names.insert("*:\(user)") }
        for name in [project.id, project.name] {
            names.formUnion([name, "\(name):*"])
            for user in users { names.insert("\(name):\(user)") }
        }
        names.formUnion(credentials.roles)
        return groups.contains(where: names.contains)
    }

    /// Lower case; "unknown" for a header that has none.
    private static func host(of referer: String?) -> String {
        guard let referer, let scheme = referer.range(of: "://") else { return "unknown" }
        var authority = referer[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        let host = HostNames.withoutPort(String(authority))
        return host.isEmpty ? "unknown" : host
    }
}

/// The list of an account: `X-Account-Access-Control`, a JSON object of `admin`, `read-write` and `read-only`.
struct AccountAccessList: Sendable, Equatable {
    var admin: [String] = []
    var readWrite: [String] = []
    var readOnly: [String] = []

    /// nil unless the text is such an object, with lists of names and nothing else.
    init?(_ text: String) {
        guard case .object(let members)? = JSON(parsing: text.utf8) else { return nil }
        for (name, value) in members {
            guard let list = value.list, list.allSatisfy({ $0.text?.isEmpty == false }) else { return nil }
            let names = list.compactMap(\.text)
            switch name {
            case "admin": admin = names
            case "read-write": readWrite = names
            case "read-only": readOnly = names
            default: return nil
            }
        }
    }

    static func admits(_ names: [String], _ credentials: Credentials) -> Bool {
        AccessList(names.filter { !$0.hasPrefix(".") }.joined(separator: ",")).admits(credentials)
    }
}
