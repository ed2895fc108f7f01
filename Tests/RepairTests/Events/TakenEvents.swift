import Foundation
import Logging
import MessageBus
import Model
import ObjectAccess
import Observability
import Synchronization
import Wire

@testable import Repair

/// A gateway that takes events, or is down.
final class TakenEvents: EventTaking {
    struct Event: Equatable, CustomStringConvertible {
        var webhook = "hook"
        var name: String
        var key: String
        var version: String?
        var principal = "s3.amazonaws.com"
        var description: String { "\(webhook): \(name) \(key) \(version ?? "-") by \(principal)" }
    }

    private struct State {
        var messages: [WebhookEvent] = []
        var isDown = false
        /// Of the next ones.
        var room = Int.max
    }

    private let state = Mutex(State())

    var isDown: Bool {
        get { state.withLock { $0.isDown } }
        set { state.withLock { $0.isDown = newValue } }
    }

    func leaveRoom(for count: Int) { state.withLock { $0.room = count } }

    func take(_ events: [WebhookEvent]) async throws -> Int {
        try state.withLock { state in
            guard !state.isDown else { throw BusError(.unreachable, "no gateway is running") }
            let kept = events.prefix(state.room)
            state.room -= kept.count
            state.messages += kept
            return events.count - kept.count
        }
    }

    /// As JSON, in the order in which they came.
    var records: [[String: Any]] {
        state.withLock(\.messages).compactMap { event in
            let message = try? JSONSerialization.jsonObject(with: Data(event.message)) as? [String: Any]
            return (message?["Records"] as? [[String: Any]])?.first
        }
    }

    var all: [Event] {
        zip(state.withLock(\.messages), records).map { message, record in
            let object = (record["s3"] as? [String: Any])?["object"] as? [String: Any]
            return Event(
                webhook: message.webhook, name: record["eventName"] as? String ?? "",
                key: object?["key"] as? String ?? "", version: object?["versionId"] as? String,
                principal: (record["userIdentity"] as? [String: String])?["principalId"] ?? "")
        }
    }
}

extension RemovalNotices {
    /// - Parameter path: keeps nothing by default.
    static func make(
        _ registers: any RegisterStoring, _ gateways: any EventTaking = TakenEvents(), path: String = ":memory:",
        waitingMax: Int = 10_000,
        now: @escaping @Sendable () -> Int64 = { WallClock.milliseconds }
    ) -> RemovalNotices {
        // A file in a folder that the test has made.
        let store = try! NoticeStore(path: path)
        return RemovalNotices(
            store: store, registers: registers, gateways: gateways, metrics: MetricsRegistry(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, waitingMax: waitingMax, now: now)
    }
}

/// The configuration that has a webhook told of these events.
func notification(_ events: String..., prefix: String = "") -> BucketDocument {
    let events = events.map { "<Event>\($0)</Event>" }.joined()
    let filter =
        "<Filter><S3Key><FilterRule><Name>prefix</Name><Value>\(prefix)</Value></FilterRule></S3Key></Filter>"
    let text =
        "<NotificationConfiguration><QueueConfiguration><Id>rule</Id><Queue>arn:martlet:sqs::hook:webhook</Queue>"
        + "\(events)\(prefix.isEmpty ? "" : filter)</QueueConfiguration></NotificationConfiguration>"
    return BucketDocument(name: "notification", content: Array(text.utf8))
}
