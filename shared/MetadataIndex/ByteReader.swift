import Model

/// Reads the encodings of log and index; every read is checked.
public struct ByteReader {
    public private(set) var remaining: UnsafeRawBufferPointer

    public init(_ bytes: UnsafeRawBufferPointer) { remaining = bytes }

    private mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, count <= remaining.count else { return nil }
        defer { remaining = UnsafeRawBufferPointer(rebasing: remaining[count...]) }
        return UnsafeRawBufferPointer(rebasing: remaining[..<count])
    }

    mutating func skip(_ count: Int) -> Bool { take(count) != nil }

    public mutating func byte() -> UInt8? { take(1)?[0] }

    public mutating func number<T: FixedWidthInteger & BitwiseCopyable>() -> T? {
        take(MemoryLayout<T>.size).map { T(littleEndian: $0.loadUnaligned(as: T.self)) }
    }

    public mutating func bytes(_ count: Int) -> [UInt8]? { take(count).map { Array($0) } }

    public mutating func identifier<Subject>() -> Identifier<Subject>? {
        take(16).map { bytes in
            Identifier(
                high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
    }

    mutating func identifiers<Subject>(_ count: Int) -> [Identifier<Subject>]? {
        guard count * 16 <= remaining.count else { return nil }
        return (0..<count).map { _ in identifier()! }
    }

    public mutating func rest() -> [UInt8] { take(remaining.count).map { Array($0) } ?? [] }
}

extension [UInt8] {
    /// Little endian.
    public mutating func appendNumber(_ number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }

    mutating func appendBigEndian(_ number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
    }

    mutating func appendIdentifier<Subject>(_ identifier: Identifier<Subject>) {
        appendBigEndian(identifier.high)
        appendBigEndian(identifier.low)
    }
}
