/// Writes XML documents: one buffer, no tree.
public struct XMLWriter: Sendable {
    /// The namespace of S3's answers.
    public static let s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    public static let schemaInstanceNamespace = "http://www.w3.org/2001/XMLSchema-instance"

    /// The document so far, UTF-8.
    public private(set) var bytes: [UInt8]

    public init(reservingCapacity capacity: Int = 1024) {
        bytes = []
        bytes.reserveCapacity(capacity)
        raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
    }

    /// An element with other elements in it.
    public mutating func element(
        _ name: StaticString, namespace: String? = nil, attributes: [(name: String, value: String)] = [],
        content: (inout XMLWriter) -> Void
    ) {
        open(name, namespace: namespace, attributes: attributes)
        content(&self)
        close(name)
    }

    /// An element with text; characters that XML gives a meaning are escaped.
    public mutating func element(_ name: String, _ text: String) {
        raw("<")
        raw(name)
        raw(">")
        self.text(text)
        raw("</")
        raw(name)
        raw(">")
    }

    public mutating func element(_ name: String, _ number: some BinaryInteger) { element(name, String(number)) }

    public mutating func element(_ name: String, _ flag: Bool) { element(name, flag ? "true" : "false") }

    /// An element that is left out when there is no value.
    public mutating func element(_ name: String, ifPresent text: String?) {
        if let text { element(name, text) }
    }

    /// An element of any name as it was read, with everything in it. Text beside elements is left out.
    public mutating func node(_ node: XMLNode, namespace: String? = nil) {
        raw("<")
        raw(node.name)
        if let namespace { attribute("xmlns", namespace) }
        raw(">")
        if node.children.isEmpty { text(node.text) }
        for child in node.children { self.node(child) }
        raw("</")
        raw(node.name)
        raw(">")
    }

    private mutating func open(
        _ name: StaticString, namespace: String?, attributes: [(name: String, value: String)]
    ) {
        raw("<")
        raw(name.description)
        if let namespace { attribute("xmlns", namespace) }
        for (name, value) in attributes { attribute(name, value) }
        raw(">")
    }

    private mutating func attribute(_ name: String, _ value: String) {
        raw(" ")
        raw(name)
        raw("=\"")
        text(value)
        raw("\"")
    }

    private mutating func close(_ name: StaticString) {
        raw("</")
        raw(name.description)
        raw(">")
    }

    private mutating func raw(_ text: String) {
        var text = text
        text.withUTF8 { bytes.append(contentsOf: $0) }
    }

    /// Text of the open element. Keys may hold any character: what XML 1.0 cannot hold at all goes out as a character
    /// reference, as AWS does.
    public mutating func text(_ text: String) { Self.append(text, to: &bytes) }

    // MARK: - Escaping

    /// Appends text as it stands in an element or an attribute of XML or HTML.
    public static func append(_ text: String, to bytes: inout [UInt8]) {
        var text = text
        text.withUTF8 { append($0, to: &bytes) }
    }

    public static func append(_ text: [UInt8], to bytes: inout [UInt8]) {
        text.withUnsafeBufferPointer { append($0, to: &bytes) }
    }

    private static func append(_ text: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]) {
        if !text.contains(where: isEscaped) { return bytes.append(contentsOf: text) }
        for byte in text {
            switch byte {
            case UInt8(ascii: "&"): bytes += "&amp;".utf8
            case UInt8(ascii: "<"): bytes += "&lt;".utf8
            case UInt8(ascii: ">"): bytes += "&gt;".utf8
            case UInt8(ascii: "\""): bytes += "&quot;".utf8
            case UInt8(ascii: "\r"): bytes += "&#13;".utf8
            case 0..<0x20 where byte != 0x09 && byte != 0x0A: bytes += "&#x\(String(byte, radix: 16));".utf8
            default: bytes.append(byte)
            }
        }
    }

    private static func isEscaped(_ byte: UInt8) -> Bool { byte < 64 && escapedBytes >> UInt64(byte) & 1 == 1 }

    /// A bit for each byte below 64: `"&<>` and control characters but tab and line feed.
    private static let escapedBytes: UInt64 = 0x5000_0044_FFFF_F9FF

    /// Text as it stands in an element or an attribute of XML or HTML.
    public static func escaped(_ text: String) -> String {
        var bytes: [UInt8] = []
        append(text, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
