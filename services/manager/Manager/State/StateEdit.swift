import ClusterState
import ClusterStore
import Wire

/// Changes of the state that belong together, computed from one state: they are made only if nobody edited it since.
///
/// Every edit also changes one key, the counter of edits, on the condition that it is as it was. So a rule over several
/// keys (an access key belongs to one user, a user with buckets stays) holds, whichever manager carries out a verb.
struct StateEdit {
    private let state: ManagerState
    private var guarded: Set<String> = []
    private(set) var transaction = StoreTransaction()

    init(_ state: ManagerState) { self.state = state }

    var isEmpty: Bool { transaction.operations.isEmpty }

    /// The value that the edit is computed from.
    func value(of key: String) -> [UInt8]? { state.entries[key]?.value }

    /// What is to be committed.
    var counted: StoreTransaction {
        var edit = self
        let last = value(of: ManagerKeys.edits).flatMap { UInt64(String(decoding: $0, as: UTF8.self)) } ?? 0
        edit.put(ManagerKeys.edits, bytes: Array("\(last &+ 1)".utf8))
        return edit.transaction
    }

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
