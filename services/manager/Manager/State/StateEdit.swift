import ClusterState
import ClusterStore
import Wire

/// Changes of the state that belong together, computed from one state: each key is only changed if it is still as it
/// was there.
struct StateEdit {
    private let state: ManagerState
    private var guarded: Set<String> = []
    private(set) var transaction = StoreTransaction()

    init(_ state: ManagerState) { self.state = state }

    var isEmpty: Bool { transaction.operations.isEmpty }

    /// Makes the edit depend on the key being as it is now.
    mutating func expectUnchanged(_ key: String) {
        guard guarded.insert(key).inserted else { return }
        if let entry = state.entries[key] {
            transaction.conditions.append(.revision(key: key, is: entry.revision))
        } else {
            transaction.conditions.append(.absent(key: key))
        }
    }

    mutating func put(_ key: String, _ message: some WireMessage) { put(key, bytes: message.encoded()) }

    mutating func put(_ key: String, bytes: [UInt8]) {
        expectUnchanged(key)
        transaction.put(key, bytes)
    }

    mutating func delete(_ key: String) {
        expectUnchanged(key)
        transaction.delete(key)
    }
}
