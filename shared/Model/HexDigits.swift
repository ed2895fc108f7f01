/// Lower-case hex digits of bytes.
public func hexDigits(of bytes: some Collection<UInt8>) -> String {
    let count = 2 * bytes.count
    return String(unsafeUninitializedCapacity: count) { text in
        var place = 0
        for byte in bytes {
            text[place] = hexDigit(byte >> 4)
            text[place + 1] = hexDigit(byte & 15)
            place += 2
        }
        return count
    }
}

private func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}

/// The bytes of hex digits of either case; nil for an odd number of digits or another character.
public func bytes(ofHex text: some StringProtocol) -> [UInt8]? { bytes(ofHex: Array(text.utf8)) }

/// The same for digits that are bytes, of ASCII.
public func bytes(ofHex digits: some RandomAccessCollection<UInt8>) -> [UInt8]? {
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    var rest = digits.makeIterator()
    while let first = rest.next(), let second = rest.next() {
        guard let high = hexValue(first), let low = hexValue(second) else { return nil }
        bytes.append(high << 4 | low)
    }
    return bytes
}

/// What a hex digit of either case stands for.
public func hexValue(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
}
