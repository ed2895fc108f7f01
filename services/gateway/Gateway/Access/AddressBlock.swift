import Foundation

/// A block of IP addresses, `192.0.2.0/24` or `2001:db8::/32`; without a length one address.
struct AddressBlock: Sendable, Equatable {
    /// In network order: 4 or 16 bytes.
    let address: [UInt8]
    let prefixLength: Int

    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = Self.bytes(of: String(first)) else { return nil }
        self.address = address
        let bits = address.count * 8
        guard parts.count == 2 else {
            prefixLength = bits
            return
        }
        guard let length = Int(parts[1]), (0...bits).contains(length) else { return nil }
        prefixLength = length
    }

    /// Whether the block is so small that it names somebody: AWS's mark for public policies.
    var isNarrow: Bool { prefixLength >= (address.count == 4 ? 8 : 32) }

    func contains(_ text: String) -> Bool {
        guard let other = Self.bytes(of: text), other.count == address.count else { return false }
        let whole = prefixLength / 8
        guard address[..<whole] == other[..<whole] else { return false }
        let rest = prefixLength % 8
        guard rest > 0 else { return true }
        let mask = UInt8(truncatingIfNeeded: 0xFF00 >> rest)
        return address[whole] & mask == other[whole] & mask
    }

    /// An IPv4 address that came over an IPv6 socket counts as IPv4.
    private static func bytes(of text: String) -> [UInt8]? {
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 { return withUnsafeBytes(of: v4) { Array($0) } }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        let bytes = withUnsafeBytes(of: v6) { Array($0) }
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        return Array(bytes[..<12]) == mapped ? Array(bytes[12...]) : bytes
    }
}
