import Model

/// Entity tags. Inside Martlet they have no quotes; on the wire they do.
public enum ETag {
    public static func quoted(_ etag: String) -> String { "\"\(etag)\"" }

    /// Without quotes and without the mark of a weak tag.
    public static func unquoted(_ text: String) -> String {
        var text = text.drop { $0 == " " }
        if text.hasPrefix("W/") { text = text.dropFirst(2) }
        while text.last == " " { text = text.dropLast() }
        if text.count >= 2, text.first == "\"", text.last == "\"" { text = text.dropFirst().dropLast() }
        return String(text)
    }

    /// Of content put at once: its MD5.
    public static func ofContent(md5: [UInt8]) -> String { hexDigits(of: md5) }

    /// Of a multipart object: MD5 over the parts' MD5s, and how many there are.
    public static func ofParts(md5OfMD5s: [UInt8], count: Int) -> String { "\(hexDigits(of: md5OfMD5s))-\(count)" }

    /// Whether a header like If-Match names the tag: a list of tags or `*`.
    public static func list(_ header: String, contains etag: String) -> Bool {
        if header.trimmed == "*" { return true }
        return header.split(separator: ",").contains { unquoted(String($0)) == etag }
    }
}
