import Checksums

/// The additional checksums of S3.
public enum ChecksumAlgorithm: String, Sendable, CaseIterable {
    case crc32 = "CRC32"
    case crc32c = "CRC32C"
    case crc64nvme = "CRC64NVME"
    case sha1 = "SHA1"
    case sha256 = "SHA256"

    /// By any spelling of the name that clients use.
    public init?(name: String) { self.init(rawValue: name.uppercased()) }

    /// By header, `x-amz-checksum-crc32` for example.
    public init?(header: String) {
        // Most headers are none of these, which their length tells.
        guard header.utf8.count >= Self.headerLengthMin else { return nil }
        let header = header.lowercased()
        guard let algorithm = Self.allCases.first(where: { $0.headerName == header }) else { return nil }
        self = algorithm
    }

    public var headerName: String {
        switch self {
        case .crc32: "x-amz-checksum-crc32"
        case .crc32c: "x-amz-checksum-crc32c"
        case .crc64nvme: "x-amz-checksum-crc64nvme"
        case .sha1: "x-amz-checksum-sha1"
        case .sha256: "x-amz-checksum-sha256"
        }
    }

    private static let headerLengthMin = "x-amz-checksum-sha1".utf8.count

    public var elementName: String { "Checksum" + rawValue }

    public var byteCount: Int {
        switch self {
        case .crc32, .crc32c: 4
        case .crc64nvme: 8
        case .sha1: 20
        case .sha256: 32
        }
    }

    /// Whether the checksum of a whole multipart object follows from the checksums of its parts.
    public var combines: Bool { self == .crc32 || self == .crc32c || self == .crc64nvme }
}

/// Computes one checksum as bytes pass.
public struct ChecksumComputation {
    private enum State {
        case crc32(UInt32)
        case crc32c(UInt32)
        case crc64(UInt64)
        case hash(Checksums.Hasher)
    }

    public let algorithm: ChecksumAlgorithm
    private var state: State

    public init(_ algorithm: ChecksumAlgorithm) {
        self.algorithm = algorithm
        switch algorithm {
        case .crc32: state = .crc32(0)
        case .crc32c: state = .crc32c(0)
        case .crc64nvme: state = .crc64(0)
        case .sha1: state = .hash(Checksums.Hasher(.sha1))
        case .sha256: state = .hash(Checksums.Hasher(.sha256))
        }
    }

    public mutating func update(_ bytes: some ContiguousBytesLike) {
        switch state {
        case .crc32(let value): state = .crc32(Checksums.crc32(bytes, continuing: value))
        case .crc32c(let value): state = .crc32c(Checksums.crc32c(bytes, continuing: value))
        case .crc64(let value): state = .crc64(CRC64NVME.update(value, bytes))
        case .hash(let hasher): hasher.update(bytes)
        }
    }

    /// The checksum as bytes, big endian. Call once.
    public func finish() -> [UInt8] {
        switch state {
        case .crc32(let value), .crc32c(let value): bigEndianBytes(value)
        case .crc64(let value): bigEndianBytes(value)
        case .hash(let hasher): hasher.finish()
        }
    }
}

private func bigEndianBytes(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
}

/// CRC-64/NVME: the default of AWS's newest SDKs.
enum CRC64NVME {
    /// Eight tables, so that eight bytes are taken at a time.
    private static let tables: [[UInt64]] = {
        var tables = [[UInt64]](repeating: [UInt64](repeating: 0, count: 256), count: 8)
        for index in 0..<256 {
            var value = UInt64(index)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x9A6C_9329_AC4B_C9B5 : value >> 1 }
            tables[0][index] = value
        }
        for index in 0..<256 {
            for slice in 1..<8 {
                let before = tables[slice - 1][index]
                tables[slice][index] = before >> 8 ^ tables[0][Int(before & 0xFF)]
            }
        }
        return tables
    }()
    private static let flat: [UInt64] = tables.flatMap { $0 }

    static func update(_ seed: UInt64, _ bytes: some ContiguousBytesLike) -> UInt64 {
        bytes.withContiguousBytes { buffer in
            flat.withUnsafeBufferPointer { table in
                var value = ~seed
                var offset = 0
                while offset + 8 <= buffer.count {
                    let word = UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                    let mixed = value ^ word
                    value = 0
                    for slice in 0..<8 {
                        let byte = Int(truncatingIfNeeded: mixed >> UInt64(8 * slice)) & 0xFF
                        value ^= table[(7 - slice) * 256 + byte]
                    }
                    offset += 8
                }
                while offset < buffer.count {
                    value = value >> 8 ^ table[Int((value ^ UInt64(buffer[offset])) & 0xFF)]
                    offset += 1
                }
                return ~value
            }
        }
    }
}
