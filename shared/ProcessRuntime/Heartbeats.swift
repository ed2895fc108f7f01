import ClusterState
import Foundation
import Model
import Wire

/// Publishes every half second that this process lives, and which state it works with.
struct Heartbeats: Sendable {
    static let interval = Duration.milliseconds(500)

    private let context: ProcessContext
    private let fixed: Heartbeat

    init(_ context: ProcessContext, member: EnrolRequest) {
        self.context = context
        fixed = Heartbeat(
            name: member.name, role: member.role, incarnation: UInt64(Date().timeIntervalSince1970 * 1000),
            address: member.address, publisher: member.publisher, version: member.version)
    }

    /// Runs until the task is cancelled.
    func start() -> Task<Void, Never> {
        Task {
            while !Task.isCancelled {
                context.bus.publish(.heartbeat, current(context.cluster.view))
                try? await Task.sleep(for: Self.interval)
            }
        }
    }

    private func current(_ view: ClusterView) -> Heartbeat {
        var heartbeat = fixed
        heartbeat.revision = view.revision
        heartbeat.epoch = view.epoch
        heartbeat.ringHash = view.ring?.hash ?? 0
        return heartbeat
    }
}
