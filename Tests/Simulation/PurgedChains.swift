import Model
import Register

/// What the checks know of tombstones that replicas have purged: a key without a state carries on their chain of operations.
/// No replica or writer knows of it.
final class PurgedChains {
    private var newest: [Int: SimulatedState] = [:]
    /// Proposals before whose acceptance something was purged that their writers had not heard of: the operations as written, and
    /// those that the checks put in their place.
    private var unheard: [(written: [Int], whole: [Int])] = []

    func note(_ tombstone: SimulatedState, of key: Int) {
        if tombstone.tag > newest[key]?.tag ?? .zero { newest[key] = tombstone }
    }

    var count: Int { newest.count }

    /// The operations that led to this state of the key.
    func operations(_ state: SimulatedState?, of key: Int) -> [Int] {
        whole((state ?? newest[key])?.record?.operations ?? [])
    }

    /// A proposal for a key without a state was accepted.
    func noteAccepted(_ proposal: SimulatedState, of key: Int) {
        guard let written = proposal.record?.operations, let own = written.last else { return }
        let whole = operations(nil, of: key) + [own]
        if written != whole { unheard.append((written, whole)) }
    }

    private func whole(_ operations: [Int]) -> [Int] {
        guard let (written, whole) = unheard.first(where: { operations.starts(with: $0.written) }) else {
            return operations
        }
        return whole + operations.dropFirst(written.count)
    }

    /// What repair writes for a key of which nobody has a state.
    func tombstone(of key: Int) -> SimulatedRecord { SimulatedRecord(value: nil, operations: operations(nil, of: key)) }

    /// What a replica with this state and floor knows of the key.
    func known(_ state: SimulatedState?, _ floor: PurgeFloor, of key: Int) -> [Int] {
        let isPurged = newest[key].map { $0.tag <= floor.ballot } ?? false
        return state == nil && !isPurged ? [] : operations(state, of: key)
    }
}
