import Logging
import MessageBus
import Model
import Synchronization
import Wire

/// Finds out why no manager answers: members do not talk to a process that was removed from the cluster, so it cannot
/// tell that from managers that are down. On the socket for newcomers it is told.
final class MembershipCheck: Sendable {
    static let interval = Duration.seconds(5)
    private static let timeout = Duration.seconds(3)

    private struct State {
        var reason: String?
        var task: Task<Void, Never>?
    }

    private let bus: any RequestSending
    private let member: EnrolRequest
    private let logger: Logger
    private let isFollowing: @Sendable () -> Bool
    private let state = Mutex(State())

    /// - Parameters:
    ///   - member: this process, without a token: it asks to be refused.
    ///   - isFollowing: whether a manager answered lately.
    init(
        bus: any RequestSending, member: EnrolRequest, logger: Logger, isFollowing: @escaping @Sendable () -> Bool
    ) {
        self.bus = bus
        self.member = member
        self.logger = logger
        self.isFollowing = isFollowing
    }

    /// Why the cluster does not know this process any more; nil: it is a member, as far as anybody has said.
    var reason: String? { state.withLock { $0.reason } }

    func start() {
        let task = Task { [weak self] in
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.interval)
                await self?.step()
            }
        }
        state.withLock { $0.task = task }
    }

    func stop() { state.withLock { $0.task }?.cancel() }

    func step() async {
        guard !isFollowing() else { return state.withLock { $0.reason = nil } }
        do {
            _ = try await bus.request(
                .enrol, member, to: LateDirectory.enrolment, timeout: Self.timeout, answer: EnrolReply.self)
        } catch {
            // Nobody there, or it cannot say now.
            guard error.status == .forbidden || error.status == .conflict else { return }
            let isNew = state.withLock { state in
                defer { state.reason = error.message }
                return state.reason != error.message
            }
            if isNew {
                logger.error("the cluster has no member with this key", metadata: ["reason": "\(error.message)"])
            }
        }
    }
}
