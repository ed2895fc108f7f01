import ClusterState
import Foundation
import MessageBus
import Model
import Wire

/// Publishes every half second that this process lives, and which state it works with.
public struct Heartbeats: Sendable {
    static let interval = Duration.milliseconds(500)

    private let bus: MessageBus
    private let cluster: any ClusterViewing
    private let fixed: Heartbeat

    /// - Parameter member: This process as it is reachable now.
    public init(bus: MessageBus, cluster: any ClusterViewing, member: EnrolRequest) {
        self.bus = bus
        self.cluster = cluster
        fixed = Heartbeat(
            name: member.name, role: member.role, incarnation: UInt64(Date().timeIntervalSince1970 * 1000),
            address: member.address, publisher: member.publisher, version: member.version)
    }

    /// Runs until the task is cancelled.
    public func start() -> Task<Void, Never> {
        Task {
            while !Task.isCancelled {
                bus.publish(.heartbeat, current(cluster.view))
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
