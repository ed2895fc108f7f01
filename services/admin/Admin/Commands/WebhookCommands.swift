import ArgumentParser
import ClusterState

struct AddWebhook: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "add-webhook", abstract: "A place where events of buckets are sent; or changes one.",
        discussion: """
            Buckets name it in their notification configuration, by its ARN. The token is sent in the Authorization
            header, as a bearer's unless it names another scheme.

            EXAMPLES:
              martlet-adm add-webhook indexer http://indexer.example.org:8000/events
              martlet-adm add-webhook indexer https://indexer.example.org/events --token-file token
            """)
    @OptionGroup var options: ConnectionOptions
    @Option(
        help: ArgumentHelp("File whose first line is the token; - for standard input.", valueName: "file"),
        completion: .file())
    var tokenFile: String?
    @Argument(help: "The webhook's name.") var name: String
    @Argument(help: "Where events are posted to: http:// or https://.") var url: String

    mutating func run() async throws {
        var source = PasswordSource()
        source.passwordFile = tokenFile
        let token = try source.read()
        try await perform(with: [name, url] + (token.map { ["token=" + $0] } ?? []))
    }

    func text(_ json: [UInt8]) throws -> String {
        try report(WebhooksReport.self, json).webhooks.map(\.arn).joined(separator: "\n")
    }
}

struct RemoveWebhook: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove-webhook", abstract: "Removes a webhook that no bucket names, with the events that wait.",
        discussion: "EXAMPLE: martlet-adm remove-webhook indexer")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The webhook's name.") var name: String

    var verbArguments: [String] { [name] }
}

struct GetWebhooks: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "get-webhooks", abstract: "Webhooks, and the events that wait for them on each gateway.",
        discussion: "EXAMPLE: martlet-adm get-webhooks")
    @OptionGroup var options: ConnectionOptions

    func text(_ json: [UInt8]) throws -> String {
        let found = try report(WebhooksReport.self, json)
        let webhooks = TextTable(
            columns: [.init("webhook"), .init("arn"), .init("token"), .init("url")],
            rows: found.webhooks.map { [$0.name, $0.arn, $0.hasToken ? "yes" : "no", $0.url] }, framed: false)
        let queues = TextTable(
            columns: [
                .init("webhook"), .init("gateway"), .init("queued"), .init("delivered"), .init("failed"),
                .init("dropped"), .init("last_error"),
            ],
            rows: found.webhooks.flatMap { webhook in
                webhook.gateways.map { gateway in
                    let queue = gateway.queue
                    return [
                        webhook.name, gateway.gateway, "\(queue.queued)", "\(queue.delivered)", "\(queue.failed)",
                        "\(queue.dropped)", queue.lastError,
                    ]
                }
            }, framed: false)
        let silent = found.failureNodes.map { "\n\($0.node): \($0.cause)" }.joined()
        return webhooks.text + "\n\n" + queues.text + silent
    }
}
