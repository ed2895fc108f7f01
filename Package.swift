// swift-tools-version: 6.2
import PackageDescription

// Third-party packages. Few on purpose: each is built again on every new machine.
let packages: [Package.Dependency] = [
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
    .package(url: "https://github.com/LebJe/TOMLKit.git", from: "0.6.0"),
    .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
]

let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioTLS: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let toml: Target.Dependency = .product(name: "TOMLKit", package: "TOMLKit")
let sqlite: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")

/// Simulations and crash models run these millions of times: optimised in debug builds too, where unoptimised generic code
/// looks up its types with every call. Traps stay.
let optimised: [SwiftSetting] = [
    .unsafeFlags(
        ["-O", "-whole-module-optimization", "-num-threads", "1", "-disable-batch-mode"], .when(configuration: .debug))
]

/// Small generic code that services run for every message: with its source at hand the compiler makes it concrete there.
let specialised: [SwiftSetting] = [
    .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release))
]

/// A library of `shared/`. The level is checked by `.ci/check-dependencies`: a target imports lower levels only.
func shared(
    _ level: Int, _ name: String, _ dependencies: [Target.Dependency] = [], settings: [SwiftSetting] = []
) -> Target {
    .target(name: name, dependencies: dependencies, path: "shared/\(name)", swiftSettings: settings)
}

/// A module map over a library that the system's package manager installs.
func system(_ name: String, apt package: String) -> Target {
    .systemLibrary(name: name, path: "shared/\(name)", providers: [.apt([package])])
}

/// A process or tool: a library with everything in it, and a thin executable.
func service(_ folder: String, _ library: String, _ dependencies: [Target.Dependency]) -> [Target] {
    [
        .target(name: library, dependencies: dependencies, path: "services/\(folder)/\(library)"),
        .executableTarget(
            name: "martlet-\(folder == "admin" ? "adm" : folder)",
            dependencies: [.byName(name: library), "ProcessRuntime"], path: "services/\(folder)/main"),
    ]
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = [], settings: [SwiftSetting] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)", resources: resources, swiftSettings: settings)
}

/// What every process uses: configuration, logs, metrics, the bus and the cluster's state.
let process: [Target.Dependency] = [
    "Model", "Wire", "MessageBus", "Configuration", "Observability", "ClusterState", "ProcessRuntime", log, arguments,
]

let libraries: [Target] = [
    // 0: C
    system("CZeroMQ", apt: "libzmq3-dev"),
    system("COpenSSL", apt: "libssl-dev"),
    system("CRocksDB", apt: "librocksdb-dev"),
    system("CISAL", apt: "libisal-dev"),
    system("CBZip2", apt: "libbz2-dev"),
    system("CMalloc", apt: "libc6-dev"),
    system("CPageCache", apt: "libc6-dev"),
    .target(name: "CMartletWire", path: "shared/CMartletWire", linkerSettings: [.linkedLibrary("protobuf-c")]),
    // 1: plain values
    shared(1, "Model", settings: optimised + specialised),
    shared(1, "Checksums", ["COpenSSL", "CISAL", nio], settings: optimised + specialised),
    shared(1, "Compression", ["CISAL", "CBZip2", nio]),
    shared(1, "Threads", settings: specialised),
    shared(1, "PlantedBugs"),
    // 2: language
    shared(2, "Wire", ["CMartletWire", "Model", nio], settings: specialised),
    shared(2, "S3Protocol", ["Model", "Checksums"], settings: specialised),
    shared(2, "Encryption", ["COpenSSL", "Checksums", nio], settings: optimised),
    // 3: decisions, pure
    shared(3, "Signatures", ["Model", "Checksums", "S3Protocol", nio], settings: specialised),
    shared(3, "Ring", ["Model"]),
    shared(3, "Register", ["Model"], settings: optimised + specialised),
    shared(3, "Linearizability", ["Model"], settings: optimised),
    shared(3, "FailureDetection", ["Model"]),
    // 4 to 7: the outside world
    shared(4, "Configuration", ["Model", toml]),
    shared(4, "TapRecordings", ["Wire"]),
    shared(4, "Observability", ["Model", log, nio, nioPosix, nioHTTP]),
    shared(
        5, "MessageBus", ["CZeroMQ", "Model", "Wire", "Observability", nio, log], settings: specialised),
    shared(
        5, "ObjectLog", ["CPageCache", "Model", "Checksums", "Threads", "PlantedBugs", nio, log], settings: optimised),
    shared(5, "MetadataIndex", ["CRocksDB", "Checksums", "Model", "Ring", "Wire"], settings: optimised),
    shared(5, "ClusterStore", ["Model", sqlite]),
    shared(6, "EtcdStore", ["ClusterStore", "Model", log, nio, nioPosix, nioHTTP, nioTLS]),
    shared(6, "ClusterState", ["COpenSSL", "Model", "Wire", "Ring", "Checksums", "MessageBus", log, toml]),
    shared(
        7, "ObjectAccess",
        [
            "Model", "Wire", "Ring", "Register", "Checksums", "PlantedBugs", "Threads", "Observability", "MessageBus",
            "ObjectLog", "ClusterState", nio, log,
        ]),
    shared(
        7, "ProcessRuntime",
        [
            "CMalloc", "Model", "Wire", "Ring", "Configuration", "Observability", "MessageBus", "ClusterState", log,
            nioPosix, arguments,
        ]),
    // 8: test kit
    shared(8, "TestKit", ["Model", "Wire", "Register", "Ring", "Linearizability", nio], settings: optimised),
    shared(
        8, "AccessTestKit",
        [
            "Model", "Wire", "Register", "Ring", "Checksums", "Observability", "MessageBus", "ClusterState",
            "ObjectAccess", nio, log,
        ]),
]

let services: [Target] =
    service(
        "gateway", "Gateway",
        process + [
            "ObjectAccess", "Signatures", "S3Protocol", "Encryption", "Checksums", "Compression", "Threads", "Ring",
            "Register", nio, nioPosix, nioHTTP, nioTLS,
        ])
    + service(
        "storage", "Storage",
        process + ["Ring", "Register", "ObjectLog", "MetadataIndex", "Checksums", "Threads", "PlantedBugs", nio])
    + service("replicator", "Replicator", process + ["ObjectAccess", "Ring", "Register", nio])
    + service(
        "repair", "Repair",
        process + ["ObjectAccess", "S3Protocol", "Ring", "Register", "PlantedBugs", nio, sqlite])
    + service(
        "manager", "Manager",
        process + [
            "ClusterStore", "EtcdStore", "ObjectAccess", "Ring", "FailureDetection", "Checksums", nio, nioPosix,
        ])
    + service("admin", "Admin", process + ["Checksums"])
    + service("tap", "Tap", process + ["TapRecordings", nio])
    + service(
        "load", "Load",
        process + [
            "ObjectAccess", "Register", "TapRecordings", "Signatures", "S3Protocol", "Checksums", "Linearizability",
            nio, nioPosix, nioHTTP,
        ])

let benchmarks: [Target] = [
    .executableTarget(
        name: "martlet-benchmark",
        dependencies: [
            "Storage", "ObjectLog", "MetadataIndex", "Observability", "ProcessRuntime", "Register", "Wire", "Checksums",
            "Threads", "Model", nio, log, arguments,
        ], path: "Benchmarks", exclude: ["run", "comparison"])
]

let testTargets: [Target] = [
    tests("ModelTests", ["Model", "Checksums"]),
    tests("WireTests", ["Wire", "Model", nio]),
    tests("SignaturesTests", ["Signatures", "S3Protocol", "Checksums", "Model", nio], resources: [.copy("Vectors")]),
    tests("S3ProtocolTests", ["S3Protocol", "Model"]),
    tests("EncryptionTests", ["Encryption", nio]),
    tests("RingTests", ["Ring", "Model"]),
    tests("RegisterTests", ["Register", "Model"]),
    tests("FailureDetectionTests", ["FailureDetection", "TestKit", "Model"]),
    tests("ConfigurationTests", ["Configuration", "Model"]),
    tests("ObservabilityTests", ["Observability", log, nio, nioPosix]),
    tests("MessageBusTests", ["MessageBus", "TestKit", "CZeroMQ", "Observability", "Wire", "Model", nio, log]),
    tests(
        "ObjectLogTests", ["ObjectLog", "Threads", "Checksums", "Model", nio], resources: [.copy("Golden")]),
    tests("MetadataIndexTests", ["MetadataIndex", "TestKit", "Wire", "Model"]),
    tests(
        "StorageTests",
        [
            "Storage", "Register", "Ring", "ObjectLog", "MetadataIndex", "MessageBus", "Observability", "Threads",
            "Checksums", "ClusterState",
            "Wire", "Model", "TestKit", nio, log,
        ]),
    tests(
        "StorageModelTests",
        [
            "Storage", "Register", "Ring", "ObjectLog", "MetadataIndex", "Observability", "TestKit", "Threads",
            "Checksums", "Wire", "Model", nio, log,
        ], settings: optimised),
    tests("ClusterStoreTests", ["ClusterStore", "EtcdStore", "Model", log, sqlite]),
    tests(
        "ManagerTests",
        [
            "Manager", "ClusterStore", "ClusterState", "MessageBus", "Observability", "Ring", "FailureDetection",
            "Wire", "Checksums", "ObjectAccess",
            "Model", nio, log, sqlite,
        ]),
    tests(
        "ObjectAccessTests",
        [
            "ObjectAccess", "AccessTestKit", "TestKit", "MessageBus", "ObjectLog", "Checksums", "Register", "Ring",
            "Observability", "Wire", "Model", nio, log,
        ]),
    tests(
        "GatewayTests",
        [
            "Gateway", "S3Protocol", "Signatures", "ObjectAccess", "AccessTestKit", "Register", "Ring", "ClusterState",
            "MessageBus", "Observability",
            "Wire", "Checksums", "Compression", "Model", nio, nioPosix, nioEmbedded, nioHTTP, log,
        ]),
    tests("AdminTests", ["Admin", "ClusterState", "MessageBus", "Model", arguments]),
    tests(
        "TapTests",
        [
            "Tap", "TapRecordings", "ClusterState", "MessageBus", "Observability", "Wire", "Model", arguments, log,
        ]),
    tests(
        "LoadTests",
        [
            "Load", "ObjectAccess", "TapRecordings", "Signatures", "Linearizability", "Wire", "Model", arguments,
            nioHTTP,
        ]),
    tests("LinearizabilityTests", ["Linearizability", "Model"]),
    tests("ClusterStateTests", ["ClusterState", "MessageBus", "Ring", "Wire", "Model", nio, log]),
    tests("ProcessRuntimeTests", ["ProcessRuntime", "Configuration", "MessageBus", "Ring", "Wire", "Model", nio]),
    tests(
        "ReplicatorTests",
        ["Replicator", "ObjectAccess", "AccessTestKit", "Observability", "Register", "Wire", "Model", nio, log]),
    tests(
        "RepairTests",
        [
            "Repair", "ObjectAccess", "AccessTestKit", "S3Protocol", "MessageBus", "Observability", "Register", "Ring",
            "Wire", "ClusterState",
            "Model", nio, log,
        ]),
    tests("Simulation", ["Register", "Ring", "Model", "Linearizability", "TestKit"], settings: optimised),
]

let package = Package(
    name: "martlet",
    platforms: [.macOS(.v15)],
    dependencies: packages,
    targets: libraries + services + benchmarks + testTargets,
    swiftLanguageModes: [.v6])
