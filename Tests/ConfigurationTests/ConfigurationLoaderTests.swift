import Configuration
import Foundation
import Testing

private enum Sample {
    static let listen = Setting("gateway.listen", default: "127.0.0.1:8080", help: "Where it listens.")
    static let workers = Setting("gateway.workers", default: 4, in: 1...64, help: "Threads.")
    static let timeout = Setting<Duration>("gateway.timeout", default: .seconds(30), help: "Patience.")
    static let hosts = Setting<[String]>("gateway.hosts", default: [], help: "Names.")
    static let token = Setting<String?>("node.token", default: nil, help: "Secret.", secret: true)
    static let all: [any AnySetting] = [listen, workers, timeout, hosts, token]
}

/// A file that goes away with the test.
private final class TemporaryFile {
    let path: String

    init(_ text: String, mode: Int = 0o600) throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID()).toml").path
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite("Layers of configuration")
struct ConfigurationLoaderTests {
    private func load(
        file: String? = nil, environment: [String: String] = [:], flags: [String] = []
    ) throws -> Configuration {
        try ConfigurationLoader(settings: Sample.all, foreignSections: ["storage"], environment: environment)
            .load(file: file, flags: flags)
    }

    private func problems(
        file: String? = nil, environment: [String: String] = [:], flags: [String] = []
    ) -> [String] {
        do throws(ConfigurationError) {
            _ = try ConfigurationLoader(settings: Sample.all, foreignSections: ["storage"], environment: environment)
                .load(file: file, flags: flags)
            return []
        } catch { return error.problems }
    }

    @Test("A flag wins over the environment, that over the file, that over the default")
    func precedence() throws {
        let file = try TemporaryFile("[gateway]\nlisten = \"file:1\"\nworkers = 8\ntimeout = \"5s\"\n")
        let configuration = try load(
            file: file.path, environment: ["MARTLET_GATEWAY_LISTEN": "env:1", "MARTLET_GATEWAY_WORKERS": "9"],
            flags: ["gateway.listen=flag:1"])
        #expect(configuration[Sample.listen] == "flag:1")
        #expect(configuration[Sample.workers] == 9)
        #expect(configuration[Sample.timeout] == .seconds(5))
        #expect(configuration[Sample.hosts] == [])
        #expect(configuration.origin(of: Sample.listen) == .flag)
        #expect(configuration.origin(of: Sample.workers) == .environment("MARTLET_GATEWAY_WORKERS"))
        #expect(configuration.origin(of: Sample.timeout) == .file(file.path))
        #expect(configuration.origin(of: Sample.hosts) == .defaultValue)
    }

    @Test("Unknown keys are errors with a suggestion, wherever they stand")
    func unknownKeys() throws {
        let file = try TemporaryFile("[gateway]\nlsiten = \"x:1\"\n[gatewy]\na = 1\n")
        let found = problems(
            file: file.path, environment: ["MARTLET_GATEWAY_WORKER": "3"], flags: ["gateway.timout=1s", "nonsense"])
        #expect(
            found.contains {
                $0.hasPrefix("gateway.lsiten: unknown key") && $0.hasSuffix("did you mean gateway.listen?")
            })
        #expect(found.contains { $0.hasPrefix("gatewy: unknown key") && $0.hasSuffix("mean gateway?") })
        #expect(found.contains { $0.contains("did you mean MARTLET_GATEWAY_WORKERS?") })
        #expect(found.contains { $0.contains("did you mean gateway.timeout?") })
        #expect(found.contains("--set nonsense: expected KEY=VALUE"))
    }

    @Test("Sections of other processes and variables of tools are left alone")
    func foreign() throws {
        let file = try TemporaryFile("[storage]\nanything = 1\n")
        _ = try load(file: file.path, environment: ["MARTLET_ADMIN": "/x", "MARTLET_BIN": "/y"])
    }

    @Test("Addresses for clients in the environment are no settings, whatever they are called")
    func clientVariables() throws {
        let setting = Setting("swift.listen", default: "off", help: "")
        func load(_ environment: [String: String]) throws {
            let loader = ConfigurationLoader(settings: [setting], foreignSections: [], environment: environment)
            _ = try loader.load(file: nil, flags: [])
        }
        try load(["MARTLET_SWIFT_AUTH_V1": "http://localhost/auth/v1.0", "MARTLET_KEYSTONE_URL": "http://localhost"])
        #expect(throws: ConfigurationError.self) { try load(["MARTLET_SWIFT_LISTENS": "off"]) }
    }

    @Test("Values of the wrong type or outside their range are refused with the reason")
    func ranges() throws {
        #expect(problems(flags: ["gateway.workers=0"]) == ["gateway.workers: 0 is outside 1 to 64 (flag --set)"])
        #expect(
            problems(flags: ["gateway.workers=many"]) == ["gateway.workers: \"many\" is not an integer (flag --set)"])
        let file = try TemporaryFile("[gateway]\nworkers = [1]\n")
        #expect(problems(file: file.path).first?.hasPrefix("gateway.workers: expected integer, not a list") == true)
    }

    @Test("A file that is no TOML is refused with its line")
    func badFile() throws {
        let file = try TemporaryFile("[gateway]\nlisten = \n")
        #expect(problems(file: file.path).first?.contains("line 2") == true)
        #expect(problems(file: "/nonexistent/file") == ["/nonexistent/file: cannot be read"])
    }

    @Test("A secret comes from a private file, never from one that others may read, and is never shown")
    func secrets() throws {
        let secret = try TemporaryFile("hunter2\n")
        let configuration = try load(environment: ["MARTLET_NODE_TOKEN_FILE": secret.path])
        #expect(configuration[Sample.token] == "hunter2")
        #expect(!configuration.printed().contains("hunter2"))
        #expect(configuration.printed().contains("token = \"********\"  # environment MARTLET_NODE_TOKEN_FILE"))

        let open = try TemporaryFile("hunter2\n", mode: 0o644)
        #expect(problems(environment: ["MARTLET_NODE_TOKEN_FILE": open.path]).first?.contains("chmod 600") == true)
        let configurationFile = try TemporaryFile("[node]\ntoken = \"hunter2\"\n", mode: 0o644)
        #expect(problems(file: configurationFile.path).first?.contains("chmod 600") == true)
    }

    @Test("The reference lists every key with type, range, default and meaning")
    func markdown() throws {
        let text = try load().markdown()
        #expect(text.contains("| `gateway.workers` | integer (1 to 64) | `4` | Threads. |"))
        let names = Sample.all.map(\.name)
        #expect(names.allSatisfy { text.contains("| `\($0)` |") })
    }
}
