import Configuration

/// Settings that every process has.
public enum CommonSettings {
    public static let name = Setting(
        "node.name", default: "", help: "Name in the cluster, unique; default: the program's.")
    public static let data = Setting(
        "node.data", default: "", help: "Folder for everything that this process keeps. Required.")
    public static let zone = Setting("node.zone", default: "", help: "Rack or zone; replicas are spread over zones.")
    public static let joinToken = Setting<String?>(
        "node.join_token", default: nil, help: "Token that enrols this process the first time.", secret: true)
    public static let joinTokenFile = Setting<String?>(
        "node.join_token_file", default: nil, help: "File with the join token; must not be readable by others.")
    public static let stopTimeout = Setting<Duration>(
        "node.stop_timeout", default: .seconds(20), in: .seconds(1)...(.seconds(600)),
        help: "How long a graceful stop may take before the process gives up.")

    public static let busListen = Setting(
        "bus.listen", default: "tcp://127.0.0.1:0", help: "Where the bus serves requests; port 0: any.")
    public static let busPublish = Setting(
        "bus.publish", default: "tcp://127.0.0.1:0", help: "Where the bus publishes events; port 0: any.")
    public static let busAdvertiseHost = Setting<String?>(
        "bus.advertise_host", default: nil,
        help: "Host that others connect to, when it differs from the one listened on.")
    public static let busSecurity = Setting(
        "bus.security", default: "curve", oneOf: ["curve", "none"],
        help: "Encryption and authentication of the bus; none is allowed on loopback only.")
    public static let busLocalSockets = Setting(
        "bus.local_sockets", default: "auto",
        help:
            "Folder of the unix sockets by which processes of one machine and account talk, without encryption. auto: /tmp/martlet-UID; none: they talk by the network."
    )

    public static let managerAddresses = Setting<[String]>(
        "manager.addresses", default: [],
        help:
            "Bus addresses of the managers: tcp://host:port for the one that enrols this process, NAME=tcp://host:port for any."
    )
    public static let managerEnrolment = Setting(
        "manager.enrolment", default: "", help: "The manager's enrolment address, tcp://host:port.")
    public static let managerPublicKey = Setting<String?>(
        "manager.public_key", default: nil,
        help: "The manager's public key in hex; must equal the one in the join token when both are given.")

    public static let adminListen = Setting(
        "admin.listen", default: "127.0.0.1:0", help: "Where /health and /metrics are served; port 0: any.")
    public static let logLevel = Setting(
        "log.level", default: "info", oneOf: ["trace", "debug", "info", "notice", "warning", "error", "critical"],
        help: "Least severe level that is written.")
    public static let logFormat = Setting(
        "log.format", default: "json", oneOf: ["json", "text"], help: "Form of the log lines on standard error.")

    /// What every process has, the manager too.
    public static let local: [any AnySetting] = [
        name, data, zone, stopTimeout, busListen, busPublish, busAdvertiseHost, busSecurity, busLocalSockets,
        adminListen, logLevel, logFormat,
    ]
    /// How a process finds the manager and is enrolled.
    public static let joining: [any AnySetting] = [
        joinToken, joinTokenFile, managerAddresses, managerEnrolment, managerPublicKey,
    ]

    /// Sections of a shared file that a process leaves to the others.
    static let serviceSections: Set<String> = [
        "gateway", "swift", "storage", "replicator", "repair", "manager", "tap", "load", "demo",
    ]
}
