import CZeroMQ

#if canImport(Glibc)
    import Glibc
#endif

/// The CURVE keys of a process: its identity on the bus.
public struct CurveKeyPair: Sendable, Equatable {
    /// 32 bytes.
    public let publicKey: [UInt8]
    /// 32 bytes.
    public let secretKey: [UInt8]

    /// nil unless both keys have 32 bytes.
    public init?(publicKey: [UInt8], secretKey: [UInt8]) {
        guard publicKey.count == 32, secretKey.count == 32 else { return nil }
        self.publicKey = publicKey
        self.secretKey = secretKey
    }

    public static func generate() -> CurveKeyPair {
        var publicText = [CChar](repeating: 0, count: 41)
        var secretText = publicText
        precondition(zmq_curve_keypair(&publicText, &secretText) == 0, "libzmq was built without CURVE")
        return CurveKeyPair(publicKey: decode(publicText), secretKey: decode(secretText))!
    }

    private static func decode(_ z85: [CChar]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 32)
        precondition(zmq_z85_decode(&bytes, z85) != nil, "libzmq made a key that it cannot read")
        return bytes
    }

    /// Reads the pair from a file of this process alone (mode 0600), or makes one and stores it durably.
    public static func loadOrCreate(path: String) throws -> CurveKeyPair {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        if file >= 0 {
            defer { close(file) }
            return try load(file, path)
        }
        guard errno == ENOENT else { throw KeyFileError(path: path, reason: String(cString: strerror(errno))) }
        let pair = generate()
        try store(pair, path)
        return pair
    }

    private static func load(_ file: Int32, _ path: String) throws -> CurveKeyPair {
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & 0o077 == 0 else {
            throw KeyFileError(path: path, reason: "others can read this secret: chmod 600")
        }
        var bytes = [UInt8](repeating: 0, count: 65)
        guard read(file, &bytes, 65) == 64,
            let pair = CurveKeyPair(publicKey: Array(bytes[0..<32]), secretKey: Array(bytes[32..<64]))
        else { throw KeyFileError(path: path, reason: "not a key file: 64 bytes expected") }
        return pair
    }

    /// Under a temporary name first: a crash leaves no half-written key behind.
    private static func store(_ pair: CurveKeyPair, _ path: String) throws {
        let temporary = path + ".new"
        unlink(temporary)
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw KeyFileError(path: temporary, reason: String(cString: strerror(errno))) }
        defer { close(file) }
        let bytes = pair.publicKey + pair.secretKey
        guard write(file, bytes, bytes.count) == bytes.count, fsync(file) == 0, rename(temporary, path) == 0 else {
            throw KeyFileError(path: path, reason: String(cString: strerror(errno)))
        }
    }
}

public struct KeyFileError: Error, CustomStringConvertible {
    public let path: String
    public let reason: String
    public var description: String { "\(path): \(reason)" }
}
