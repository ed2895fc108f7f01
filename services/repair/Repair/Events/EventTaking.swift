import ClusterState
import MessageBus
import Model
import Wire

/// Takes events over: they are safe when it returns.
protocol EventTaking: Sendable {
    /// Returns how many nobody has room for, or have no webhook any more.
    func take(_ events: [WebhookEvent]) async throws -> Int
}

/// Any gateway: it has the webhooks' addresses and tokens, and queues on its disk.
struct GatewayEvents: EventTaking {
    private static let timeout = Duration.seconds(5)

    let bus: any RequestSending
    let cluster: any ClusterViewing

    func take(_ events: [WebhookEvent]) async throws -> Int {
        var failure = BusError(.unreachable, "no gateway is running")
        for gateway in gateways {
            do throws(BusError) {
                let reply = try await bus.request(
                    .publishEvents, PublishEventsRequest(events: events), to: gateway, timeout: Self.timeout,
                    answer: PublishEventsReply.self)
                return Int(reply.message.dropped)
            } catch { failure = error }
        }
        throw failure
    }

    /// In another order each time, so that all of them have their share.
    private var gateways: [NodeName] {
        cluster.view.members.values.filter { $0.role == .gateway && $0.state == .running }
            .map { NodeName($0.name) }.shuffled()
    }
}
