import Model
import Register

extension ReplicaShell {
    /// The tag of the tombstone that it durably holds; nil: something else, or it cannot tell.
    func tombstone(_ key: Int, _ reply: @escaping (Ballot?) -> Void) {
        guard isUp else { return }
        let isTrusted = !isWiped && !isDoubtful(key) && !unreadable.contains(key)
        reply(isTrusted && index[key]?.record?.isTombstone == true ? index[key]?.tag : nil)
    }

    func purge(_ key: Int, _ tag: Ballot) {
        guard isUp else { return }
        guard simulation.has(.purgeWithoutFloor) else {
            return act(machine.purge(key, tag: tag, stored: stored(key)), key, early: false) { _ in }
        }
        if let tombstone = index[key], tombstone.tag == tag { drop(tombstone, of: key) }
    }

    /// Durable at once.
    func raiseFloor(to floor: PurgeFloor, _ reply: @escaping (Bool) -> Void) {
        guard isUp else { return }
        machine.raiseFloor(to: floor)
        storedFloor = storedFloor.joined(with: floor)
        reply(true)
    }
}
