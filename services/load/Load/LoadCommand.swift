import ArgumentParser
import Foundation
import Model

public struct LoadCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "martlet-load",
        abstract: "Puts load on an S3 endpoint, checks every byte that it reads, and reports latencies.",
        discussion: """
            Endpoint and keys come from the options or from MARTLET_S3_ENDPOINT, AWS_ACCESS_KEY_ID and
            AWS_SECRET_ACCESS_KEY.

            example: martlet-load run --bucket load --mix get=70,put=30 --size 4KiB --concurrency 16 --duration 30

            Exit codes: 0 all well, 1 requests failed or bytes were wrong or a check found a fault, 64 usage.
            """,
        version: Version.current,
        subcommands: [RunCommand.self, VerifyCommand.self, CheckCommand.self],
        defaultSubcommand: RunCommand.self)

    public init() {}
}

/// Where to, and with whose keys.
struct TargetOptions: ParsableArguments {
    @Option(help: "Endpoint, http://host:port.")
    var endpoint: String?
    @Option(help: "Bucket; it is made when it is missing.")
    var bucket = "martlet-load"
    @Option(help: "Access key id.")
    var accessKey: String?
    @Option(help: "Secret access key.")
    var secretKey: String?
    @Option(help: "Region in the scope of signature v4.")
    var region = "us-east-1"
    @Option(help: "Signature version: v4 or v2.")
    var signature = "v4"
    @Flag(help: "Do not hash bodies for the signature.")
    var unsignedPayload = false

    func target() throws -> LoadTarget {
        let environment = ProcessInfo.processInfo.environment
        guard let address = endpoint ?? environment["MARTLET_S3_ENDPOINT"], let url = URL(string: address),
            url.scheme == "http", let host = url.host
        else { throw ValidationError("no endpoint: give --endpoint http://host:port or set MARTLET_S3_ENDPOINT") }
        guard let access = accessKey ?? environment["AWS_ACCESS_KEY_ID"],
            let secret = secretKey ?? environment["AWS_SECRET_ACCESS_KEY"]
        else {
            throw ValidationError(
                "no keys: give --access-key and --secret-key, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        }
        guard ["v2", "v4"].contains(signature) else { throw ValidationError("--signature is v4 or v2") }
        return LoadTarget(
            host: host, port: url.port ?? 80, bucket: bucket, accessKey: access, secretKey: secret, region: region,
            signsV2: signature == "v2", unsignedPayload: unsignedPayload)
    }
}
