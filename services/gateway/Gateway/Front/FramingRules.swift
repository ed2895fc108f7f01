import NIOHTTP1
import S3Protocol

/// What must hold of a head so that we and anything before us agree where the request ends.
///
/// The parser already refuses most of it; it is checked again because request smuggling lives from one lenient link.
enum FramingRules {
    /// Names and values of all headers together.
    static let headerBytesMax = 8 << 10
    static let headersMax = 100

    static func check(_ head: HTTPRequestHead) throws(S3Error) {
        let headers = head.headers
        guard head.method != .CONNECT, head.method != .TRACE else { throw S3Error(.methodNotAllowed) }
        guard head.version.major == 1 else { throw S3Error(.invalidRequest, "HTTP/1.1 is served.") }
        let size = headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        guard headers.count <= headersMax, size <= headerBytesMax else {
            throw S3Error(
                .requestHeaderSectionTooLarge, fields: [.init("MaxSizeAllowed", String(headerBytesMax))])
        }
        let hosts = headers["host"].count
        guard hosts == 1 || (hosts == 0 && head.version.minor == 0) else {
            throw S3Error(.invalidRequest, "A request has one Host header.")
        }
        guard headers["expect"].allSatisfy({ $0.isEmpty || $0.lowercased() == "100-continue" }) else {
            throw S3Error(.expectationFailed)
        }
        try checkLength(headers, head.version)
        for (_, value) in headers {
            guard value.utf8.allSatisfy({ $0 >= 0x20 || $0 == 0x09 }) else {
                throw S3Error(.invalidRequest, "A header has control characters.")
            }
        }
    }

    /// Blanks behind a value are no part of it (RFC 9110, 5.5). The parser has left out those before it only.
    static func trim(_ headers: inout HTTPHeaders) {
        guard headers.contains(where: { $0.value.utf8.last?.isBlank == true }) else { return }
        headers = HTTPHeaders(headers.map { name, value in (name, value.trimmed) })
    }

    private static func checkLength(_ headers: HTTPHeaders, _ version: HTTPVersion) throws(S3Error) {
        let lengths = headers["content-length"]
        let encodings = headers["transfer-encoding"]
        guard lengths.isEmpty || encodings.isEmpty, lengths.count <= 1, encodings.count <= 1 else {
            throw S3Error(.invalidRequest, "The length of the request is ambiguous.")
        }
        if let length = lengths.first {
            guard !length.isEmpty, length.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), UInt64(length) != nil else {
                throw S3Error(.invalidRequest, "The Content-Length is not a number.")
            }
        }
        if let encoding = encodings.first {
            guard encoding.lowercased() == "chunked", version == .http1_1 else {
                throw S3Error(.notImplemented, fields: [.init("Header", "Transfer-Encoding")])
            }
        }
    }
}
