/// What one gateway knows about its queue for a webhook.
public struct WebhookQueueReport: Codable, Sendable, Equatable {
    public var webhook: String
    /// Events that wait, and their bytes.
    public var queued: Int
    public var queuedBytes: Int
    /// Since the gateway's start: events that were delivered, attempts that failed, events that were dropped because the
    /// queue was full or its disk failed.
    public var delivered: Int
    public var failed: Int
    public var dropped: Int
    /// Of the last attempt that failed; empty: none has since the last one that did not.
    public var lastError: String
    /// Empty: nothing was delivered since the start.
    public var deliveredAt: String

    public init(
        webhook: String, queued: Int, queuedBytes: Int, delivered: Int, failed: Int, dropped: Int, lastError: String,
        deliveredAt: String
    ) {
        self.webhook = webhook
        self.queued = queued
        self.queuedBytes = queuedBytes
        self.delivered = delivered
        self.failed = failed
        self.dropped = dropped
        self.lastError = lastError
        self.deliveredAt = deliveredAt
    }
}

/// `webhook-status` of one gateway.
public struct WebhookQueuesReport: Codable, Sendable, Equatable {
    public var queues: [WebhookQueueReport]
    public init(queues: [WebhookQueueReport]) { self.queues = queues }
}

/// `get-webhooks`.
public struct WebhooksReport: Codable, Sendable, Equatable {
    public struct Gateway: Codable, Sendable, Equatable {
        public var gateway: String
        public var queue: WebhookQueueReport

        public init(gateway: String, queue: WebhookQueueReport) {
            self.gateway = gateway
            self.queue = queue
        }
    }

    public struct Webhook: Codable, Sendable, Equatable {
        public var name: String
        /// What a bucket's notification configuration names.
        public var arn: String
        public var url: String
        public var hasToken: Bool
        public var createdAt: String
        /// Gateways that have had events for it.
        public var gateways: [Gateway]

        public init(
            name: String, arn: String, url: String, hasToken: Bool, createdAt: String, gateways: [Gateway] = []
        ) {
            self.name = name
            self.arn = arn
            self.url = url
            self.hasToken = hasToken
            self.createdAt = createdAt
            self.gateways = gateways
        }
    }

    public var webhooks: [Webhook]
    /// Gateways that did not answer.
    public var failureNodes: [TasksReport.FailureNode]

    public init(webhooks: [Webhook], failureNodes: [TasksReport.FailureNode] = []) {
        self.webhooks = webhooks
        self.failureNodes = failureNodes
    }
}
