import Model
import Register

/// Bringing registers to the new replicas of a partition that moves.
extension ReplicaHealing {
    /// Copies the state with this tag, which a write quorum of the old set holds. Returns false when none of the holders
    /// has it any more: a newer one has come.
    public func copy(
        _ name: Model.RegisterName, tag: Ballot, from holders: [NodeName], to nodes: [NodeName]
    ) async throws(AccessError) -> Bool {
        for holder in holders {
            guard let offered = try? await state(of: name, at: holder), offered.state.tag == tag else { continue }
            // Content that cannot be read there is fetched from another one when it is asked for.
            for node in nodes {
                // Also tells how busy the node is.
                if let held = try await tagHeld(by: node, name), held >= tag { continue }
                try await teach(name, offered.state, blob: offered.blob, to: node)
            }
            return true
        }
        return false
    }

    /// Decides a register again, above everything that a replica has of it, and brings that to these nodes.
    public func settle(
        _ name: Model.RegisterName, above tag: Ballot, to nodes: [NodeName]
    ) async throws(AccessError) {
        let confirmed = try await registers.confirm(name, above: tag.counter)
        for node in nodes where !confirmed.holders.contains(node) {
            try await teach(name, confirmed.state, blob: nil, to: node)
        }
    }
}
