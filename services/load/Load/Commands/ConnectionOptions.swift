import ArgumentParser
import Configuration
import Foundation
import NIOCore
import Signatures

/// Where to, and as whom: what all commands that talk to S3 share.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Endpoint, http://host:port; repeatable. Default: $MARTLET_S3_ENDPOINT.", valueName: "url"))
    var endpoint: [String] = []
    @Option(help: "Bucket; made when it is absent.")
    var bucket = "load"
    @Option(help: "Access key id. Default: $AWS_ACCESS_KEY_ID. The secret key comes from $AWS_SECRET_ACCESS_KEY.")
    var accessKey: String?
    @Option(help: "Longest wait for an answer.")
    var timeout = "30s"
    @Option(help: "Version of the signatures: v4 or v2.")
    var signature = SignatureVersion.v4
    @Flag(help: "Do not hash bodies for the signature.")
    var unsignedPayload = false

    func settings() throws -> S3ClientSettings {
        let environment = ProcessInfo.processInfo.environment
        let texts = endpoint.isEmpty ? [environment["MARTLET_S3_ENDPOINT"]].compactMap { $0 } : endpoint
        let endpoints = texts.compactMap { S3Endpoint($0) }
        guard !endpoints.isEmpty, endpoints.count == texts.count else {
            throw ValidationError(
                "an endpoint of the form http://host:port is needed (--endpoint or MARTLET_S3_ENDPOINT)")
        }
        guard let id = accessKey ?? environment["AWS_ACCESS_KEY_ID"], let secret = environment["AWS_SECRET_ACCESS_KEY"]
        else { throw ValidationError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are needed") }
        let region = environment["AWS_DEFAULT_REGION"] ?? "us-east-1"
        return S3ClientSettings(
            endpoints: endpoints, signer: RequestSigner(accessKeyID: id, secret: secret, region: region),
            version: signature, signsPayload: !unsignedPayload, timeout: TimeAmount(try timeout.asDuration("--timeout"))
        )
    }
}

extension SignatureVersion: ExpressibleByArgument {}

extension String {
    /// With a unit; a plain number is seconds here.
    func asDuration(_ option: String) throws -> Duration {
        if let seconds = Double(self), (0..<1e9).contains(seconds) { return .seconds(seconds) }
        do throws(InvalidValue) { return try Duration(parsing: .text(self)) } catch {
            throw ValidationError("\(option): \(error.reason)")
        }
    }
}
