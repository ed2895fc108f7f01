extension UInt8 {
    /// Space or tab: what may stand around the values of headers (RFC 9110, 5.6.3).
    public var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }
}

extension BidirectionalCollection<UInt8> where SubSequence == Self {
    /// Without spaces and tabs at both ends.
    public var trimmed: Self {
        var text = self
        while let first = text.first, first.isBlank { text = text.dropFirst() }
        while let last = text.last, last.isBlank { text = text.dropLast() }
        return text
    }
}

extension String {
    /// Without spaces and tabs at both ends.
    public var trimmed: String {
        let text = utf8[...].trimmed
        return text.count == utf8.count ? self : String(Substring(text))
    }
}
