import ClusterState
import Foundation
import MessageBus
import Model
import Wire

/// Publishes every half second that this process lives, and which state it works with; also when it is told that this has
/// changed.
public struct Heartbeats: Sendable {
    static let interval = Duration.milliseconds(500)
    /// However fast the state changes, no more often than this.
    static let spacing = Duration.milliseconds(20)

    private let bus: MessageBus
    private let cluster: any ClusterViewing
    private let fixed: Heartbeat
    private let due: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    /// - Parameter member: This process as it is reachable now.
    public init(bus: MessageBus, cluster: any ClusterViewing, member: EnrolRequest) {
        self.bus = bus
        self.cluster = cluster
        (due, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        fixed = Heartbeat(
            name: member.name, role: member.role, incarnation: UInt64(Date().timeIntervalSince1970 * 1000),
            address: member.address, publisher: member.publisher, version: member.version)
    }

    /// Asks for a heartbeat now: somebody may wait to hear that this process works with a new state.
    public func beatSoon() { wake.yield() }

    /// Runs until the task is cancelled. Once only.
    public func start() -> Task<Void, Never> {
        Task {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    while !Task.isCancelled {
                        wake.yield()
                        try? await Task.sleep(for: Self.interval)
                    }
                }
                for await _ in due {
                    bus.publish(.heartbeat, current(cluster.view))
                    try? await Task.sleep(for: Self.spacing)
                }
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
