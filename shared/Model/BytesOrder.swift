#if canImport(Glibc)
    import Glibc
#endif

/// The order of unsigned bytes.
public func bytesPrecede(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    a.withUnsafeBytes { a in
        b.withUnsafeBytes { b in
            let common = min(a.count, b.count)
            guard common > 0, let first = a.baseAddress, let second = b.baseAddress else { return a.count < b.count }
            let order = memcmp(first, second, common)
            return order == 0 ? a.count < b.count : order < 0
        }
    }
}
