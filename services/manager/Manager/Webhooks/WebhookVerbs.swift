import ClusterState
import MessageBus
import Model
import Wire

/// Webhooks: where events of buckets are sent, when their notification configurations name them.
enum WebhookVerbs {
    static let webhooksMax = 1000
    private static let nameSizeMax = 64
    private static let tokenSizeMax = 4096

    static func add(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let (name, url) = (call.argument(0), call.argument(1))
        guard (1...nameSizeMax).contains(name.utf8.count), name.utf8.allSatisfy(isPlain) else {
            throw VerbError(.invalidArgument, "A webhook's name has 1 to \(nameSizeMax) letters, digits, - and _")
        }
        guard WebhookAddress(url) != nil else {
            throw VerbError(.invalidArgument, "A webhook's address is http://HOST[:PORT][/PATH] or https://…")
        }
        let token = call.option("token") ?? ""
        guard token.utf8.count <= tokenSizeMax, token.utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) else {
            throw VerbError(.invalidArgument, "A token has up to \(tokenSizeMax) printable characters")
        }
        let present = call.state.view.webhooks
        guard present[name] != nil || present.count < webhooksMax else {
            throw VerbError(.conflict, "There are \(webhooksMax) webhooks, as many as allowed")
        }
        let webhook = WebhookRecord(
            name: name, url: url,
            sealedToken: token.isEmpty ? [] : call.context.masterKey.seal(Array(token.utf8)),
            createdMilliseconds: present[name]?.createdMilliseconds ?? call.context.now)
        edit.put(ClusterKeys.webhook(name), webhook)
        return WebhooksReport(webhooks: [report(webhook)])
    }

    /// Refused while a bucket names it.
    static func remove(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let name = call.argument(0)
        guard call.state.view.webhooks[name] != nil else { throw VerbError(.notFound, "Webhook not found") }
        let target = Array(":\(name):webhook<".utf8)
        let user = call.state.view.buckets.values.first { bucket in
            bucket.document("notification").map { $0.firstRange(of: target) != nil } ?? false
        }
        if let user { throw VerbError(.conflict, "The bucket \(user.name) sends its events there") }
        edit.delete(ClusterKeys.webhook(name))
        return DoneReport()
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    fileprivate static func report(_ webhook: WebhookRecord) -> WebhooksReport.Webhook {
        WebhooksReport.Webhook(
            name: webhook.name, arn: "arn:martlet:sqs::\(webhook.name):webhook", url: webhook.url,
            hasToken: !webhook.sealedToken.isEmpty, createdAt: timeText(milliseconds: webhook.createdMilliseconds))
    }
}

/// `get-webhooks`: all webhooks, and what gateways have for them.
struct WebhookSurvey: Sendable {
    private static let timeout = Duration.seconds(3)

    let nodes: NodeVerbs

    func report() async throws -> WebhooksReport {
        let view = nodes.cluster.view
        var report = WebhooksReport(
            webhooks: view.webhooks.values.sorted { $0.name < $1.name }.map(WebhookVerbs.report))
        let gateways = view.members.values.filter { $0.role == .gateway && $0.state == .running }
            .map { NodeName($0.name) }.sorted()
        let answers = await withTaskGroup(of: (NodeName, Result<WebhookQueuesReport, VerbError>).self) { group in
            for gateway in gateways { group.addTask { (gateway, await ask(gateway)) } }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for gateway in gateways {
            switch answers[gateway] {
            case .success(let found)?:
                for queue in found.queues {
                    guard let index = report.webhooks.firstIndex(where: { $0.name == queue.webhook }) else { continue }
                    report.webhooks[index].gateways.append(.init(gateway: gateway.rawValue, queue: queue))
                }
            case .failure(let error)?:
                report.failureNodes.append(.init(node: gateway.rawValue, cause: error.message))
            case nil: break
            }
        }
        return report
    }

    private func ask(_ gateway: NodeName) async -> Result<WebhookQueuesReport, VerbError> {
        do {
            let json = try await nodes.forward("webhook-status", to: gateway, [], until: .now + Self.timeout)
            return .success(try ReportCoding.decode(WebhookQueuesReport.self, from: json))
        } catch let error as VerbError {
            return .failure(error)
        } catch {
            return .failure(VerbError(.internalError, "the answer is not understood: \(error)"))
        }
    }
}
