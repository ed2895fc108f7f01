import Configuration
import Foundation
import NIOCore

/// The gateway's own settings.
public enum GatewaySettings {
    public static let listen = Setting(
        "gateway.listen", default: "127.0.0.1:8080", help: "Where S3 is served, host:port; port 0: any.")
    public static let hosts = Setting<[String]>(
        "gateway.hosts", default: ["s3.amazonaws.com", "localhost"],
        help: "Names of this gateway: a request to BUCKET.NAME is about that bucket.")
    public static let websiteHosts = Setting<[String]>(
        "gateway.website_hosts", default: ["s3-website.localhost"],
        help: "Domains of websites: BUCKET.DOMAIN serves the bucket as a static website, if it is configured as one.")
    public static let trustedProxies = Setting<[String]>(
        "gateway.trusted_proxies", default: [],
        help: "Addresses or blocks (10.0.0.0/8) of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed."
    ) { $0.first { AddressBlock($0) == nil }.map { "\"\($0)\" is no IP address or block" } }
    public static let bucketListCoversObjects = Setting(
        "gateway.bucket_acl_covers_objects", default: false,
        help: "As in LeoFS: who may list a bucket by its access control list may read all objects in it.")
    public static let threads = Setting(
        "gateway.threads", default: 0, in: 0...256, help: "Threads that serve connections; 0: one for each processor.")
    public static let signatureV2 = Setting(
        "gateway.signature_v2", default: true, help: "Accept signatures of version 2, which old clients need.")
    public static let memoryLimit = Setting(
        "gateway.memory_limit", default: ByteSize.mebibytes(512), in: .mebibytes(8)...(.gibibytes(1024)),
        help: "Memory for the bodies of requests; an upload takes up to 4 MiB, more uploads wait.")
    public static let memoryPatience = Setting<Duration>(
        "gateway.memory_patience", default: .seconds(30), in: .seconds(0)...(.seconds(600)),
        help: "How long an upload waits for memory before it is told to slow down.")
    public static let connectionsMax = Setting(
        "gateway.connections_max", default: 4096, in: 1...1_000_000, help: "Open connections; further ones get 503.")
    public static let requestsMax = Setting(
        "gateway.requests_max", default: 2048, in: 1...1_000_000, help: "Requests at a time; further ones get 503.")
    public static let overloadDelay = Setting<Duration>(
        "gateway.overload_delay", default: .milliseconds(100), in: .seconds(0)...(.seconds(10)),
        help:
            "When half of the requests take so much longer than usual, as many are refused with 503 as the cluster cannot serve in "
            + "time; 0: none are.")
    public static let hedgeShare = Setting(
        "gateway.hedge_share", default: 5, in: 0...100,
        help:
            "Percent of the reads that may be sent to one more replica because another one is slow; 0: only if it is silent."
    )
    public static let shortCircuitReads = Setting(
        "gateway.short_circuit_reads", default: true,
        help: "Read large content from the files of storage nodes on this machine, instead of having it sent.")
    public static let headTimeout = Setting<Duration>(
        "gateway.head_timeout", default: .seconds(20), in: .seconds(1)...(.seconds(3600)),
        help: "From a connection to its first whole request head.")
    public static let idleTimeout = Setting<Duration>(
        "gateway.idle_timeout", default: .seconds(60), in: .seconds(1)...(.seconds(3600)),
        help: "How long a connection may wait for its next request.")
    public static let bodyTimeout = Setting<Duration>(
        "gateway.body_timeout", default: .seconds(30), in: .seconds(1)...(.seconds(3600)),
        help: "How long a client may send, or take, nothing in the middle of a body.")
    public static let rateMin = Setting(
        "gateway.rate_min", default: ByteSize(bytes: 256), in: ByteSize(bytes: 0)...(.gibibytes(1)),
        help: "Bytes a second below which an upload is given up after body_timeout.")
    public static let stopTimeout = Setting<Duration>(
        "gateway.stop_timeout", default: .seconds(10), in: .seconds(0)...(.seconds(600)),
        help: "How long a graceful stop lets requests finish.")
    public static let accessLog = Setting(
        "gateway.access_log", default: "off", help: "One line of JSON a request: a file, - for standard output, or off."
    )

    public static let lifecycleDay = Setting<Duration>(
        "gateway.lifecycle_day", default: .seconds(86_400),
        help: "How long a day of a lifecycle takes, for x-amz-expiration. Less is for tests only.")

    public static let webhookQueueMax = Setting(
        "gateway.webhook_queue_max", default: ByteSize.mebibytes(64), in: .mebibytes(1)...(.gibibytes(1024)),
        help: "Room on the gateway's disk for events that wait for one webhook; beyond it new events are dropped.")
    public static let webhookTimeout = Setting<Duration>(
        "gateway.webhook_timeout", default: .seconds(10), in: .seconds(1)...(.seconds(600)),
        help: "How long a webhook may take to answer; then the event is sent again.")
    public static let webhookAuthority = Setting(
        "gateway.webhook_authority", default: "",
        help: "File of certificates (PEM) to trust for webhooks by https; empty: those of the system.")

    public static let bucketLogInterval = Setting<Duration>(
        "gateway.bucket_log_interval", default: .seconds(300), in: .seconds(1)...(.seconds(86_400)),
        help: "How often access logs of buckets are written into the buckets that their owners have named.")

    public static let all: [any AnySetting] =
        [
            listen, hosts, websiteHosts, trustedProxies, bucketListCoversObjects, threads, signatureV2, memoryLimit,
            memoryPatience, connectionsMax, requestsMax, overloadDelay, hedgeShare, shortCircuitReads,
            headTimeout, idleTimeout, bodyTimeout, rateMin, stopTimeout, accessLog, lifecycleDay, webhookQueueMax,
            webhookTimeout, webhookAuthority, bucketLogInterval,
        ] + SwiftSettings.all
}

extension FrontLimits {
    init(_ configuration: Configuration) {
        connectionsMax = configuration[GatewaySettings.connectionsMax]
        requestsMax = configuration[GatewaySettings.requestsMax]
        overloadDelay = configuration[GatewaySettings.overloadDelay]
        memoryLimit = configuration[GatewaySettings.memoryLimit].bytes
        memoryPatience = configuration[GatewaySettings.memoryPatience]
        headTimeout = TimeAmount(configuration[GatewaySettings.headTimeout])
        idleTimeout = TimeAmount(configuration[GatewaySettings.idleTimeout])
        bodyTimeout = TimeAmount(configuration[GatewaySettings.bodyTimeout])
        bytesPerSecondMin = configuration[GatewaySettings.rateMin].bytes
        stopTimeout = TimeAmount(configuration[GatewaySettings.stopTimeout])
    }
}
