/// A 128-bit identifier. The phantom type keeps identifiers of different things apart.
@frozen
public struct Identifier<Subject>: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let high: UInt64
    public let low: UInt64

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// From 16 bytes, big endian; nil for any other count.
    @inlinable
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        var (high, low): (UInt64, UInt64) = (0, 0)
        // Sixteen shifts move the first half into `high` and out of `low`.
        for byte in bytes { (high, low) = (high << 8 | low >> 56, low << 8 | UInt64(byte)) }
        self.init(high: high, low: low)
    }

    /// From 32 hex digits.
    public init?(hex: String) {
        guard hex.utf8.count == 32, let high = UInt64(hex.prefix(16), radix: 16),
            let low = UInt64(hex.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    public static func random(using generator: inout some RandomNumberGenerator) -> Self {
        Self(high: generator.next(), low: generator.next())
    }

    public static func random() -> Self {
        var generator = SystemRandomNumberGenerator()
        return random(using: &generator)
    }

    /// 16 bytes, big endian, so that the order of bytes is the order of identifiers.
    public var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
            for index in 0..<8 {
                buffer[index] = UInt8(truncatingIfNeeded: high >> UInt64(56 - 8 * index))
                buffer[index + 8] = UInt8(truncatingIfNeeded: low >> UInt64(56 - 8 * index))
            }
            count = 16
        }
    }

    /// 32 hex digits.
    public var description: String { hexDigits(of: bytes) }

    public static func < (a: Self, b: Self) -> Bool { (a.high, a.low) < (b.high, b.low) }
}

public enum BucketSubject {}
public enum BlobSubject {}
public enum OperationSubject {}
public enum DiskSubject {}

/// One creation of a bucket: a bucket that is deleted and made again has another one.
public typealias BucketID = Identifier<BucketSubject>
/// An immutable byte string. Belongs to one upload.
public typealias BlobID = Identifier<BlobSubject>
/// One attempt of a client to change a register, over all its retries.
public typealias OperationID = Identifier<OperationSubject>

/// One log directory, for ever: a disk that is wiped and used again has another one.
public typealias DiskID = Identifier<DiskSubject>
