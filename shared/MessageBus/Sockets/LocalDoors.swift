import Model

#if canImport(Glibc)
    import Glibc
#endif

/// The unix sockets by which processes of one machine and one account talk to each other: without encryption and without
/// the kernel's network.
///
/// They lie in a folder that nobody but the account and root can enter: those could read the processes' secret keys as
/// well, so CURVE would keep nobody out. A socket is named for the key of its owner and for the network namespace, so that
/// processes find each other only where they could by the network.
public struct LocalDoors: Sendable {
    private let directory: String
    private let network: UInt64

    /// Makes the folder when it is not there.
    ///
    /// - Throws: ``BusSetupError`` when the folder is not ours alone, or too deep for the address of a socket.
    public init(directory: String) throws {
        self.directory = directory
        var namespace = stat()
        guard stat("/proc/self/ns/net", &namespace) == 0 else {
            throw BusSetupError("stat /proc/self/ns/net", code: errno)
        }
        network = UInt64(namespace.st_ino)
        guard path(of: [UInt8](repeating: 0, count: 32)).utf8.count < Self.pathBytesMax else {
            throw BusSetupError("local sockets in \(directory)", reason: "the path is too long")
        }
        if mkdir(directory, 0o700) != 0, errno != EEXIST { throw BusSetupError("mkdir \(directory)", code: errno) }
        try Self.check(directory)
    }

    /// The folder that all processes of this account find without being told.
    public static var accountDirectory: String { "/tmp/martlet-\(geteuid())" }

    /// `sockaddr_un` has 108 bytes, one of them the zero at the end.
    private static let pathBytesMax = 108

    /// A folder that somebody else owns or may enter, or a link to one, could hold sockets of others.
    private static func check(_ directory: String) throws {
        var status = stat()
        guard lstat(directory, &status) == 0 else { throw BusSetupError("lstat \(directory)", code: errno) }
        guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(), status.st_mode & 0o077 == 0 else {
            throw BusSetupError(
                "local sockets in \(directory)", reason: "not a folder of this account alone (mode 700)")
        }
    }

    /// Where the owner of this key is to be found; no promise that it is there.
    func address(of publicKey: [UInt8]) -> String { "ipc://" + path(of: publicKey) }

    /// Whether the owner of this key answers here: asked by connecting, as the socket of a process that was killed stays.
    func isOpen(of publicKey: [UInt8]) -> Bool {
        let path = path(of: publicKey)
        guard publicKey.count == 32, access(path, F_OK) == 0 else { return false }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard probe >= 0 else { return false }
        defer { close(probe) }
        return Self.withSocketAddress(path) { connect(probe, $0, $1) == 0 }
    }

    /// The address of a unix socket as the system's calls take it.
    static func withSocketAddress<R>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private func path(of publicKey: [UInt8]) -> String {
        "\(directory)/\(network)-\(hexDigits(of: publicKey.prefix(16)))"
    }
}

/// The name that a client gives its connection to a local socket: its public key, and a number that makes it unique.
enum LocalConnectionName {
    /// libzmq keeps names that begin with zero for itself.
    private static let mark = UInt8(ascii: "k")

    static func make(_ publicKey: [UInt8]) -> [UInt8] {
        let number = UInt64.random(in: .min ... .max)
        return [mark] + publicKey + (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }

    /// The key that the other side says is its own; nil: it says none.
    static func publicKey(_ name: [UInt8]) -> [UInt8]? {
        name.count == 41 && name[0] == mark ? Array(name[1...32]) : nil
    }
}
