import ClusterStore
import Foundation
import Logging
import Testing

@testable import EtcdStore

/// Real members of etcd on loopback, each a process of its own. Ended with the value that holds them.
final class EtcdCluster: @unchecked Sendable {
    static let program = ["/usr/bin/etcd", "/usr/local/bin/etcd"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }
    static let missing: Comment = "etcd is not installed: apt-get install etcd-server"

    struct NotStarted: Error { var log: String }

    let folder: URL
    private let names: [String]
    private let ports: [(client: Int, peer: Int)]
    private let scheme: String
    private var processes: [Process?]

    private init(members: Int, folder: URL, tls: Bool) {
        self.folder = folder
        scheme = tls ? "https" : "http"
        names = (0..<members).map { "m\($0)" }
        let free = freePorts(2 * members)
        ports = (0..<members).map { (free[2 * $0], free[2 * $0 + 1]) }
        processes = Array(repeating: nil, count: members)
    }

    deinit {
        for process in processes.compactMap(\.self) where process.isRunning {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        try? FileManager.default.removeItem(at: folder)
    }

    /// - Parameter opened: Waits until its keys can be used.
    static func start(members: Int, tls: Bool = false, opened: Bool = true) async throws -> EtcdCluster {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-etcd-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        if tls { try makeCertificates(folder) }
        let cluster = EtcdCluster(members: members, folder: folder, tls: tls)
        for index in 0..<members { try cluster.startMember(index) }
        if opened { try await cluster.store().close() }
        return cluster
    }

    func startMember(_ index: Int) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.program ?? "")
        let peers = zip(names, ports).map { "\($0)=http://127.0.0.1:\($1.peer)" }.joined(separator: ",")
        let (client, peer) = ports[index]
        process.arguments = [
            "--name", names[index], "--data-dir", folder.appendingPathComponent(names[index]).path,
            "--listen-client-urls", "\(scheme)://127.0.0.1:\(client)",
            "--advertise-client-urls", "\(scheme)://127.0.0.1:\(client)",
            "--listen-peer-urls", "http://127.0.0.1:\(peer)",
            "--initial-advertise-peer-urls", "http://127.0.0.1:\(peer)", "--initial-cluster", peers,
            "--heartbeat-interval", "50", "--election-timeout", "500", "--logger", "zap",
        ]
        if scheme == "https" {
            process.arguments! += [
                "--cert-file", file("server.pem"), "--key-file", file("server.key"), "--client-cert-auth",
                "--trusted-ca-file", file("ca.pem"),
            ]
        }
        let log = folder.appendingPathComponent("\(names[index]).log").path
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        process.standardOutput = FileHandle(forWritingAtPath: log)
        process.standardError = FileHandle(forWritingAtPath: log)
        try process.run()
        processes[index] = process
    }

    /// kill -9.
    func killMember(_ index: Int) {
        guard let process = processes[index] else { return }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        processes[index] = nil
    }

    func pauseMember(_ index: Int) { signalMember(index, SIGSTOP) }
    func continueMember(_ index: Int) { signalMember(index, SIGCONT) }

    private func signalMember(_ index: Int, _ number: Int32) {
        if let process = processes[index] { kill(process.processIdentifier, number) }
    }

    func options(_ client: String = "test", root: String = "/martlet/") -> EtcdOptions {
        let endpoints = ports.compactMap { EtcdEndpoint("\(scheme)://127.0.0.1:\($0.client)") }
        let files = EtcdTLSFiles(authority: file("ca.pem"), certificate: file("client.pem"), key: file("client.key"))
        return EtcdOptions(endpoints: endpoints, tls: scheme == "https" ? files : nil, client: client, root: root)
    }

    func store(_ client: String = "test") async throws -> EtcdClusterStore {
        try await EtcdClusterStore.open(
            options(client), logger: Logger(label: "etcd") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Which member leads.
    func leader() async throws -> Int? {
        struct Status: Decodable {
            struct Header: Decodable { var member_id: String }
            var header: Header
            var leader: String?
        }
        for (index, endpoint) in options().endpoints.enumerated() where processes[index] != nil {
            let member = EtcdMember(endpoint, tls: nil)
            let reply = try await member.call("/v3/maintenance/status", Array("{}".utf8), timeout: .seconds(2))
            member.close()
            let status = try JSONDecoder().decode(Status.self, from: Data(reply.body))
            if status.leader == status.header.member_id { return index }
        }
        return nil
    }

    private func file(_ name: String) -> String { folder.appendingPathComponent(name).path }

    // MARK: - Certificates

    private static func makeCertificates(_ folder: URL) throws {
        try openssl(
            folder,
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority",
            ])
        // Known to nobody.
        try openssl(
            folder,
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-keyout", "stranger.key", "-out", "stranger.pem", "-subj", "/CN=stranger",
            ])
        for name in ["server", "client"] {
            try openssl(
                folder,
                [
                    "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", "\(name).key", "-out", "\(name).csr", "-subj", "/CN=\(name)",
                ])
            try Data("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n".utf8)
                .write(to: folder.appendingPathComponent("\(name).ext"))
            try openssl(
                folder,
                [
                    "x509", "-req", "-in", "\(name).csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                    "-CAcreateserial", "-days", "2", "-extfile", "\(name).ext", "-out", "\(name).pem",
                ])
        }
    }

    private static func openssl(_ folder: URL, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.currentDirectoryURL = folder
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw NotStarted(log: "openssl \(arguments[0]) failed") }
    }
}

/// Ports that nobody listens on.
private func freePorts(_ count: Int) -> [Int] {
    var sockets: [Int32] = []
    defer { for descriptor in sockets { close(descriptor) } }
    return (0..<count).map { _ in
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        sockets.append(descriptor)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(descriptor, $0, size)
                _ = getsockname(descriptor, $0, &size)
            }
        }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
