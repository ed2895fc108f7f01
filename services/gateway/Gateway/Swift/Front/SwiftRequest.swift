import MessageBus
import NIOHTTP1
import S3Protocol
import Signatures

/// A request to the Swift front: taken apart, not yet authenticated.
struct SwiftRequest: Sendable {
    let id: String
    /// `tx…`: in every answer, and what users quote.
    let transaction: String
    /// Upper case.
    var method: String
    /// As on the wire, without the query.
    let rawPath: String
    /// Decoded. The parts of names are compared by bytes.
    let path: [UInt8]
    /// The first value of each parameter; "" for one without a value.
    let query: [String: String]
    var headers: HTTPHeaders
    /// Of the client.
    let remote: String
    let body: RequestBody
    /// nil: a part of another request.
    var admitted: AdmittedRequest?

    var context: MessageContext { MessageContext(requestID: id) }

    /// Scheme and authority as the client spelled them.
    var origin: String { "http://" + (headers.first(name: "host") ?? "localhost") }

    func header(_ name: String) -> String? { headers.first(name: name) }

    /// Whether a header or parameter has one of the words that mean yes.
    static func isTrue(_ text: String?) -> Bool {
        ["true", "1", "yes", "on", "t", "y"].contains(text?.lowercased() ?? "")
    }
}

/// Path and query of a request, decoded. Names are never normalised.
struct SwiftTarget: Sendable {
    var rawPath: String
    var path: [UInt8]
    var query: [String: String]

    init(uri: String) throws(SwiftError) {
        var text = uri[...]
        for scheme in ["http://", "https://"] where text.lowercased().hasPrefix(scheme) {
            let rest = text.dropFirst(scheme.utf8.count)
            text = rest[(rest.firstIndex(of: "/") ?? rest.endIndex)...]
        }
        let question = text.utf8.firstIndex(of: UInt8(ascii: "?")) ?? text.endIndex
        rawPath = question == text.startIndex ? "/" : String(text[..<question])
        guard rawPath.utf8.first == UInt8(ascii: "/") else { throw .badRequest }
        do { path = try percentDecoded(rawPath.utf8) } catch { throw .invalidName }
        guard !path.contains(0), String(validating: path, as: UTF8.self) != nil else { throw .invalidName }
        query = [:]
        guard question < text.endIndex else { return }
        do {
            for item in try QueryParameters(rawQuery: text[text.index(after: question)...]).items {
                guard let name = String(validating: item.name, as: UTF8.self),
                    let value = String(validating: item.value ?? [], as: UTF8.self), !value.utf8.contains(0)
                else { throw S3Error(.invalidURI) }
                if query[name] == nil { query[name] = value }
            }
        } catch { throw .invalidName }
    }

    /// The path's parts; the last one takes what is left. Parts of `/v1/a/c/o/p`, at most 4: v1, a, c, o/p.
    static func parts(_ path: [UInt8], atMost count: Int) -> [[UInt8]] {
        path.dropFirst().split(separator: UInt8(ascii: "/"), maxSplits: count - 1, omittingEmptySubsequences: false)
            .map { Array($0) }
    }
}
