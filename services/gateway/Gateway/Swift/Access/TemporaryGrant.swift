import Foundation
import Model
import NIOHTTP1
import S3Protocol

/// What a signed address (TempURL) lets its bearer do: one thing, to the object whose address it is.
struct TemporaryGrant: Sendable, Equatable {
    /// One only.
    var permission: SwiftPermission
    /// Of the account.
    var project: String
    /// The key was that of a container: what is read with it is in there. nil: it was the account's.
    var container: String?
    /// Seconds since 1970.
    var expires: Int64
    /// For `Content-Disposition`; nil: the object's own name.
    var filename: String?
    var isInline = false

    func allows(_ wanted: SwiftPermission, project: String?, container: String?) -> Bool {
        guard wanted == permission, project == self.project else { return false }
        guard let only = self.container else { return true }
        return container.map { Array($0.utf8) == Array(only.utf8) } ?? false
    }
}

/// Judges signed addresses.
enum TemporaryAddress {
    static let methods = ["GET", "HEAD", "PUT", "POST", "DELETE"]
    /// Bearers may put content, not references to what others own.
    static let forbiddenHeaders = ["x-object-manifest", "x-symlink-target", "x-copy-from"]

    static func isSigned(_ request: SwiftRequest) -> Bool {
        request.method != "OPTIONS"
            && (request.query["temp_url_sig"] != nil || request.query["temp_url_expires"] != nil)
    }

    /// nil when the signature is not that of this request, or is too old.
    ///
    /// - Parameters:
    ///   - call: with project, container and object.
    ///   - now: seconds since 1970.
    static func grant(_ call: SwiftCall, now: Int64) -> TemporaryGrant? {
        let (request, query) = (call.request, call.request.query)
        guard let object = call.object, let container = call.containerName, let project = call.project,
            isPlain(call), let end = query["temp_url_expires"].flatMap(seconds), end > now,
            let signature = KeySignature(query["temp_url_sig"] ?? ""),
            permits(query["temp_url_ip_range"], request.remote)
        else { return nil }
        var path = String(decoding: request.path, as: UTF8.self)
        if let prefix = query["temp_url_prefix"] {
            guard object.starts(with: prefix.utf8) else { return nil }
            path = "prefix:/v1/\(call.account)/\(container)/\(prefix)"
        }
        let address = query["temp_url_ip_range"].map { "ip=\($0)\n" } ?? ""
        // Who may read or write may ask what is there.
        let signed = request.method == "HEAD" ? ["HEAD", "GET", "PUT", "POST"] : [request.method]
        for key in SignatureKey.all(of: call) {
            for method in signed where signature.matches("\(address)\(method)\n\(end)\n\(path)", key.value) {
                return TemporaryGrant(
                    permission: ["GET", "HEAD"].contains(request.method) ? .readObject : .writeObject,
                    project: project.id, container: key.container, expires: end, filename: query["filename"],
                    isInline: query["inline"] != nil)
            }
        }
        return nil
    }

    /// Whether the request is about its object and nothing else.
    private static func isPlain(_ call: SwiftCall) -> Bool {
        let operations: [SwiftOperation] = [.getObject, .headObject, .putObject, .postObject, .deleteObject]
        let manifest = call.request.query["multipart-manifest"]
        return operations.contains(call.operation) && (manifest == nil || manifest == "get")
    }

    /// A number, or a date of ISO 8601 in UTC.
    static func seconds(_ text: String) -> Int64? {
        if let number = Int64(text) { return number }
        // 2026-01-31, 2026-01-31T10:20:30 and that with a Z.
        var bare = text[...]
        if bare.last == "Z" { bare = bare.dropLast() }
        guard [10, 19].contains(bare.utf8.count), bare.utf8.count == 19 || bare.utf8.count == text.utf8.count else {
            return nil
        }
        let separators = bare.utf8.filter { !(0x30...0x39).contains($0) }
        guard String(decoding: separators, as: UTF8.self) == (bare.utf8.count == 10 ? "--" : "--T::") else {
            return nil
        }
        let numbers = bare.utf8.split { !(0x30...0x39).contains($0) }
            .compactMap { Int32(String(decoding: $0, as: UTF8.self)) }
        guard numbers.count == separators.count + 1, (1...12).contains(numbers[1]), (1...31).contains(numbers[2]) else {
            return nil
        }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (numbers[0] - 1900, numbers[1] - 1, numbers[2])
        if numbers.count == 6 { (parts.tm_hour, parts.tm_min, parts.tm_sec) = (numbers[3], numbers[4], numbers[5]) }
        return Int64(timegm(&parts))
    }

    /// - Parameter range: an address, or a network with the length of its prefix; nil: all.
    static func permits(_ range: String?, _ remote: String) -> Bool {
        guard let range else { return true }
        let parts = range.split(separator: "/", maxSplits: 1).map(String.init)
        guard let first = parts.first, let network = address(first), let client = address(remote),
            network.count == client.count
        else { return false }
        let length = parts.count == 2 ? Int(parts[1]) : network.count * 8
        guard let length, (0...network.count * 8).contains(length) else { return false }
        return (0..<length).allSatisfy { bit in
            let mask = UInt8(0x80) >> UInt8(bit % 8)
            return network[bit / 8] & mask == client[bit / 8] & mask
        }
    }

    private static func address(_ text: String) -> [UInt8]? {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: four) { Array($0) } }
        var six = in6_addr()
        guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        return withUnsafeBytes(of: six) { Array($0) }
    }

    /// Throws 400 for a request that would make its object stand for others.
    static func checkHeaders(_ headers: HTTPHeaders) throws(SwiftError) {
        for name in forbiddenHeaders where headers.contains(name: name) {
            throw SwiftError(400, "The header '\(SwiftHeaders.titled(name))' is not allowed in this tempurl")
        }
    }
}

extension TemporaryGrant {
    /// Without the metadata that bearers do not see.
    static func cleaned(_ headers: HTTPHeaders) -> HTTPHeaders {
        HTTPHeaders(
            headers.filter { name, _ in
                let name = name.lowercased()
                return !name.hasPrefix("x-object-meta-") || name.hasPrefix("x-object-meta-public-")
            }.map { ($0.name, $0.value) })
    }

    /// What an answer to the bearer shows: no metadata but the public one, and a name to save it under.
    func limit(_ response: inout S3Response, of call: SwiftCall) {
        response.headers = Self.cleaned(response.headers)
        guard permission == .readObject, (200..<300).contains(response.status.code) else { return }
        response.headers.replaceOrAdd(name: "Expires", value: HTTPDate.format(expires))
        let given = response.headers.first(name: "content-disposition")
        let disposition: String
        if isInline {
            disposition = filename.map { Self.disposition("inline", $0) } ?? "inline"
        } else if let filename {
            disposition = Self.disposition("attachment", filename)
        } else {
            let name = call.objectName.split(separator: "/").last.map(String.init) ?? call.objectName
            disposition = given ?? Self.disposition("attachment", name)
        }
        response.headers.replaceOrAdd(name: "Content-Disposition", value: disposition)
    }

    private static func disposition(_ kind: String, _ name: String) -> String {
        let encoded = PercentEncoding.encode(name)
        return "\(kind); filename=\"\(encoded.replacing("%20", with: " "))\"; filename*=UTF-8''\(encoded)"
    }
}
