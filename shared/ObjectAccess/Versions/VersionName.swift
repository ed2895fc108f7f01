import Model

/// Which version of a key is meant, and where it stands among the others.
public struct VersionName: Hashable, Sendable {
    /// Higher is newer.
    public var place: UInt64
    /// Tells versions of one place apart; 0: the null version.
    public var number: UInt64

    public init(place: UInt64, number: UInt64) {
        self.place = place
        self.number = number
    }

    public static func null(at place: UInt64) -> Self { Self(place: place, number: 0) }

    public var isNull: Bool { number == 0 }

    /// From what ``id`` gave; nil: no version was ever called that.
    public init?(id: String) {
        guard let bits = OperationID(hex: id), bits.description == id, bits.low != 0 else { return nil }
        self.init(place: ~bits.high, number: bits.low)
    }

    /// As records keep it: 32 hex digits, newer versions first; empty: the null version.
    public var id: String { isNull ? "" : OperationID(high: ~place, low: number).description }
}

extension VersionName {
    /// The register of this version when it is not the current one. The registers of one key stand together, the newest
    /// first, and keys stand in their own order: a zero byte in a key becomes 0 255, and the key ends with 0 1.
    public func register(of object: RegisterName) -> RegisterName {
        let suffix = Identifier<OperationSubject>(high: ~place, low: number).bytes
        return RegisterName(
            bucket: object.bucket, keyspace: .versions, key: Self.keyPrefix(of: object.key) + suffix)
    }

    /// What the registers of all versions of a key begin with, and no others.
    public static func keyPrefix(of key: [UInt8]) -> [UInt8] { escaped(key) + [0, 1] }

    /// What the registers of all versions of all keys begin with that begin with this.
    public static func escaped(_ keyPrefix: [UInt8]) -> [UInt8] {
        guard keyPrefix.contains(0) else { return keyPrefix }
        return keyPrefix.flatMap { $0 == 0 ? [0, 255] : [$0] }
    }

    /// The key and the version that a register's key names; nil: none of ours.
    public static func parse(registerKey: [UInt8]) -> (key: [UInt8], version: VersionName)? {
        guard registerKey.count >= 18, let bits = OperationID(registerKey.suffix(16)) else { return nil }
        let escaped = registerKey.dropLast(16)
        guard escaped.suffix(2) == [0, 1] else { return nil }
        var key: [UInt8] = []
        key.reserveCapacity(escaped.count)
        var bytes = escaped.dropLast(2).makeIterator()
        while let byte = bytes.next() {
            key.append(byte)
            if byte == 0, bytes.next() != 255 { return nil }
        }
        return (key, VersionName(place: ~bits.high, number: bits.low))
    }
}
