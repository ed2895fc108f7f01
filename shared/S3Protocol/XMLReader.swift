import Foundation
import FoundationXML

/// One element of a document that a client sent.
public struct XMLNode: Sendable, Equatable {
    /// Without a namespace prefix.
    public var name: String
    public var attributes: [String: String] = [:]
    /// All character data directly in the element.
    public var text = ""
    public var children: [XMLNode] = []

    public init(name: String) { self.name = name }

    public func child(_ name: String) -> XMLNode? { children.first { $0.name == name } }

    public func children(_ name: String) -> [XMLNode] { children.filter { $0.name == name } }

    /// Text of a child without white space around it; nil when there is no such child.
    public func value(_ name: String) -> String? {
        child(name)?.text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// Reads documents from outside: libxml2 under guards of our own.
public enum XMLReader {
    public static let depthMax = 16

    /// The root element. Refuses what no client of S3 sends: document types and entities, other encodings than UTF-8,
    /// deep nesting, large bodies. What follows the root element is not looked at.
    public static func parse(_ bytes: [UInt8], sizeMax: Int) throws(S3Error) -> XMLNode {
        guard bytes.count <= sizeMax else { throw S3Error(.malformedXML) }
        guard isPlainUTF8(bytes), !contains("<!DOCTYPE", in: bytes), !contains("<!ENTITY", in: bytes) else {
            throw S3Error(.malformedXML)
        }
        let builder = TreeBuilder()
        let parser = XMLParser(data: Data(bytes))
        parser.shouldResolveExternalEntities = false
        parser.delegate = builder
        guard parser.parse(), !builder.refused, let root = builder.root else { throw S3Error(.malformedXML) }
        return root
    }

    /// Valid UTF-8 without zero bytes and without the declaration of another encoding: the search for document types
    /// sees the same text as the parser.
    private static func isPlainUTF8(_ bytes: [UInt8]) -> Bool {
        guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else { return false }
        guard let declaration = text.prefix(256).range(of: "encoding") else { return true }
        guard let end = text.range(of: "?>"), declaration.lowerBound < end.lowerBound, text.hasPrefix("<?xml")
        else { return true }
        let name = text[declaration.upperBound..<end.lowerBound].lowercased()
        return name.contains("utf-8") || name.contains("utf8") || name.contains("us-ascii")
    }

    private static func contains(_ needle: StaticString, in bytes: [UInt8]) -> Bool {
        let needle = Array(needle.description.utf8)
        var position = bytes.startIndex
        while let start = bytes[position...].firstIndex(of: UInt8(ascii: "<")) {
            if bytes[start...].starts(with: needle) { return true }
            position = start + 1
        }
        return false
    }
}

private final class TreeBuilder: NSObject, XMLParserDelegate {
    private var open: [XMLNode] = []
    private(set) var root: XMLNode?
    private(set) var refused = false

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        guard open.count < XMLReader.depthMax else {
            refused = true
            return parser.abortParsing()
        }
        var node = XMLNode(name: Self.localName(name))
        for (name, value) in attributes { node.attributes[Self.localName(name)] = value }
        open.append(node)
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) {
        guard !open.isEmpty else { return }
        open[open.count - 1].text += string
    }

    func parser(_ parser: XMLParser, foundCDATA block: Data) {
        guard !open.isEmpty else { return }
        open[open.count - 1].text += String(decoding: block, as: UTF8.self)
    }

    func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
        guard let node = open.popLast() else { return }
        if open.isEmpty { root = node } else { open[open.count - 1].children.append(node) }
    }

    private static func localName(_ name: String) -> String {
        name.split(separator: ":", maxSplits: 1).last.map(String.init) ?? name
    }
}
