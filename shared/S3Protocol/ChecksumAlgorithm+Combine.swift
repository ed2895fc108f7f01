extension ChecksumAlgorithm {
    /// The checksum of bytes that stand one after the other, from the checksums of the pieces; nil for hashes, which
    /// cannot be combined.
    public func combine(_ pieces: [(bytes: [UInt8], size: UInt64)]) -> [UInt8]? {
        let polynomial: ReflectedPolynomial
        switch self {
        case .crc32: polynomial = ReflectedPolynomial(width: 32, value: 0xEDB8_8320)
        case .crc32c: polynomial = ReflectedPolynomial(width: 32, value: 0x82F6_3B78)
        case .crc64nvme: polynomial = ReflectedPolynomial(width: 64, value: 0x9A6C_9329_AC4B_C9B5)
        case .sha1, .sha256: return nil
        }
        var whole: UInt64 = 0
        for piece in pieces {
            guard piece.bytes.count == byteCount else { return nil }
            let value = piece.bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            whole = polynomial.multiply(whole, polynomial.shift(bytes: piece.size)) ^ value
        }
        return (0..<byteCount).map { UInt8(truncatingIfNeeded: whole >> UInt64(8 * (byteCount - 1 - $0))) }
    }
}

/// Arithmetic of polynomials over GF(2) modulo that of a CRC, bits reflected: the highest bit is the constant term.
///
/// Appending n bytes to a message multiplies its remainder by x to the power of 8n; conditioning by ones at both ends,
/// as all these CRCs have, cancels out in the sum.
private struct ReflectedPolynomial {
    let width: UInt64
    let value: UInt64

    private var one: UInt64 { 1 << (width - 1) }

    func multiply(_ a: UInt64, _ b: UInt64) -> UInt64 {
        var product: UInt64 = 0
        var b = b
        var bit = one
        while bit != 0 {
            if a & bit != 0 { product ^= b }
            b = b & 1 == 1 ? b >> 1 ^ value : b >> 1
            bit >>= 1
        }
        return product
    }

    /// x to the power of 8 × count, by squaring: what appending so many bytes multiplies by.
    func shift(bytes count: UInt64) -> UInt64 {
        var base = one >> 1  // x
        for _ in 0..<3 { base = multiply(base, base) }
        var result = one
        var left = count
        while left > 0 {
            if left & 1 == 1 { result = multiply(result, base) }
            base = multiply(base, base)
            left >>= 1
        }
        return result
    }
}
