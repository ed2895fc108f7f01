import Model
import S3Protocol

/// A query taken apart: decoded bytes, in the order of the request.
public struct QueryParameters: Sendable {
    public struct Item: Sendable {
        public var name: [UInt8]
        /// nil when there was no equals sign.
        public var value: [UInt8]?
    }

    public var items: [Item]

    /// Throws `InvalidURI` when a percent sign is not followed by two hex digits.
    public init(rawQuery: some StringProtocol) throws(S3Error) {
        items = []
        guard !rawQuery.isEmpty else { return }
        for pair in rawQuery.utf8.split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "="))
            let name = try percentDecoded(pair[..<(equals ?? pair.endIndex)], plusIsSpace: true)
            var value: [UInt8]?
            if let equals { value = try percentDecoded(pair[pair.index(after: equals)...], plusIsSpace: true) }
            items.append(Item(name: name, value: value))
        }
    }

    /// The only value of a parameter; nil when it is absent. Repeated parameters decide nothing: they are refused.
    func unique(_ name: String) throws(S3Error) -> String? {
        let matching = items.filter { $0.name.elementsEqual(name.utf8) }
        guard let first = matching.first else { return nil }
        guard matching.count == 1 else {
            throw S3Error.invalidArgument("A query parameter is repeated.", name: name, value: "")
        }
        return String(decoding: first.value ?? [], as: UTF8.self)
    }

    func contains(anyOf lowerCaseNames: Set<String>) -> Bool {
        items.contains { lowerCaseNames.contains(String(decoding: $0.name, as: UTF8.self).lowercased()) }
    }
}

/// The bytes that percent-encoded text stands for; `InvalidURI` when it is malformed.
public func percentDecoded(_ text: some Sequence<UInt8>, plusIsSpace: Bool = false) throws(S3Error) -> [UInt8] {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(text.underestimatedCount)
    var bytes = text.makeIterator()
    while let byte = bytes.next() {
        switch byte {
        case UInt8(ascii: "%"):
            guard let high = bytes.next().flatMap(hexValue), let low = bytes.next().flatMap(hexValue) else {
                throw S3Error(.invalidURI)
            }
            decoded.append(high << 4 | low)
        case UInt8(ascii: "+") where plusIsSpace: decoded.append(UInt8(ascii: " "))
        default: decoded.append(byte)
        }
    }
    return decoded
}

/// Appends bytes as AWS's `UriEncode` does: all but letters, digits and `-._~` become `%XX`.
func appendPercentEncoded(_ bytes: some Sequence<UInt8>, keepsSlash: Bool, to text: inout [UInt8]) {
    for byte in bytes {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            text.append(byte)
        case UInt8(ascii: "/") where keepsSlash: text.append(byte)
        default:
            text.append(UInt8(ascii: "%"))
            text.append(upperHexDigits[Int(byte >> 4)])
            text.append(upperHexDigits[Int(byte & 15)])
        }
    }
}

private let upperHexDigits = Array("0123456789ABCDEF".utf8)
