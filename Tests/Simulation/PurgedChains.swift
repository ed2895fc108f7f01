import Model
import Register

/// What the checks know of tombstones that replicas have purged: a key without a state carries on their chain of operations.
/// No replica or writer knows of it.
final class PurgedChains {
    private var newest: [Int: SimulatedState] = [:]

    func note(_ tombstone: SimulatedState, of key: Int) {
        if tombstone.tag > newest[key]?.tag ?? .zero { newest[key] = tombstone }
    }

    var count: Int { newest.count }

    /// The operations that led to this state of the key.
    func operations(_ state: SimulatedState?, of key: Int) -> [Int] {
        state.map { $0.record?.operations ?? [] } ?? newest[key]?.record?.operations ?? []
    }

    /// What repair writes for a key of which nobody has a state.
    func tombstone(of key: Int) -> SimulatedRecord { SimulatedRecord(value: nil, operations: operations(nil, of: key)) }

    /// What a replica with this state and floor knows of the key.
    func known(_ state: SimulatedState?, _ floor: PurgeFloor, of key: Int) -> [Int] {
        let isPurged = newest[key].map { $0.tag <= floor.ballot } ?? false
        return state == nil && !isPurged ? [] : operations(state, of: key)
    }
}
