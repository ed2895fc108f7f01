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
        if let namespace {
            raw(" xmlns=\"")
            text(namespace)
            raw("\"")
        }
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
        for attribute in (namespace.map { [(name: "xmlns", value: $0)] } ?? []) + attributes {
            raw(" ")
            raw(attribute.name)
            raw("=\"")
            text(attribute.value)
            raw("\"")
        }
        raw(">")
    }

    private mutating func close(_ name: StaticString) {
        raw("</")
        raw(name.description)
        raw(">")
    }

    private mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// Text of the open element. Keys may hold any character: what XML 1.0 cannot hold at all goes out as a character
    /// reference, as AWS does.
    public mutating func text(_ text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): raw("&amp;")
            case UInt8(ascii: "<"): raw("&lt;")
            case UInt8(ascii: ">"): raw("&gt;")
            case UInt8(ascii: "\""): raw("&quot;")
            case UInt8(ascii: "\r"): raw("&#13;")
            case 0..<0x20 where byte != 0x09 && byte != 0x0A: raw("&#x\(String(byte, radix: 16));")
            default: bytes.append(byte)
            }
        }
    }
}
