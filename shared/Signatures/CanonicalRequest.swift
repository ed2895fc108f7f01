import Checksums
import Model
import S3Protocol

/// AWS signature v4's canonical request, made from the bytes on the wire.
///
/// Paths and queries are decoded and encoded again, since clients differ in what they escape; a path is never normalised
/// (`//` and `..` are parts of keys).
struct CanonicalRequest {
    /// The parameter that carries a presigned request's signature is not part of what is signed.
    private static let signatureParameter = Array("X-Amz-Signature".utf8)

    private(set) var bytes: [UInt8] = []

    init(_ request: SignableRequest, query: QueryParameters, signedHeaders: [String], payload: String) throws(S3Error) {
        bytes.reserveCapacity(512)
        append(request.method)
        appendPercentEncoded(
            try percentDecoded(request.rawPath.isEmpty ? "/".utf8 : request.rawPath.utf8), keepsSlash: true, to: &bytes)
        bytes.append(newline)
        appendQuery(query)
        for name in signedHeaders { appendHeader(name, values: request.values(name)) }
        bytes.append(newline)
        append(signedHeaders.joined(separator: ";"))
        bytes += payload.utf8
    }

    /// Lower-case hex digits of the request's SHA-256.
    var digest: String { hexDigits(of: HashAlgorithm.sha256.hash(bytes)) }

    private mutating func append(_ line: String) {
        bytes += line.utf8
        bytes.append(newline)
    }

    private mutating func appendQuery(_ query: QueryParameters) {
        var pairs: [(name: [UInt8], value: [UInt8])] = []
        for item in query.items where item.name != Self.signatureParameter {
            var pair: (name: [UInt8], value: [UInt8]) = ([], [])
            appendPercentEncoded(item.name, keepsSlash: false, to: &pair.name)
            appendPercentEncoded(item.value ?? [], keepsSlash: false, to: &pair.value)
            pairs.append(pair)
        }
        pairs.sort { a, b in
            a.name == b.name ? a.value.lexicographicallyPrecedes(b.value) : a.name.lexicographicallyPrecedes(b.name)
        }
        for (index, pair) in pairs.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: "&")) }
            bytes += pair.name
            bytes.append(UInt8(ascii: "="))
            bytes += pair.value
        }
        bytes.append(newline)
    }

    private mutating func appendHeader(_ name: String, values: [String]) {
        bytes += name.utf8
        bytes.append(UInt8(ascii: ":"))
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            appendCollapsed(value, to: &bytes)
        }
        bytes.append(newline)
    }
}

let newline = UInt8(ascii: "\n")

/// Trims, and makes one space of several.
func appendCollapsed(_ value: String, to bytes: inout [UInt8]) {
    var first = true
    for word in value.utf8.split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }) {
        if !first { bytes.append(UInt8(ascii: " ")) }
        bytes += word
        first = false
    }
}
