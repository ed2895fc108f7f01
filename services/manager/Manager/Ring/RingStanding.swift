import ClusterState
import Model
import Ring
import Wire

/// Whether the ring in the store is the newest that anybody works by. After a restore from a backup, or of an old file, it
/// may not be, and a step from an old ring would place keys where they are not. Pure.
enum RingStanding: Sendable, Equatable {
    case newest
    /// This member works by a newer ring.
    case outdated(by: NodeName)
    /// The state was restored, and without the word of these storage nodes a newer ring may have been in force.
    case unconfirmed(silent: [NodeName])

    /// - Parameter liveness: what the members' heartbeats have said.
    init(_ state: ManagerState, _ liveness: [NodeName: Liveness]) {
        let view = state.view
        let told = liveness.filter { $0.value.isAlive && $0.value.revision > 0 }
        let newest = told.max { ($0.value.epoch, $1.key) < ($1.value.epoch, $0.key) }
        if let newest, newest.value.epoch > view.epoch {
            self = .outdated(by: newest.key)
            return
        }
        guard state.isRingUnconfirmed else {
            self = .newest
            return
        }
        let silent = Set(view.ring?.nodes ?? view.storageNodes).subtracting(told.keys)
        // Nothing is done by a ring that so many nodes have not adopted.
        let isKnown =
            view.ring?.partitions.allSatisfy { replicas in
                replicas.sets.allSatisfy { set in
                    set.count { !silent.contains($0) } >= view.consistency.inSet(of: set.count).meetingEveryQuorum
                }
            } ?? silent.isEmpty
        self = isKnown ? .newest : .unconfirmed(silent: silent.sorted())
    }
}
