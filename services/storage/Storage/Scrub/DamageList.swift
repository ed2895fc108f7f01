import Model
import Observability
import Synchronization

/// What the disks of a node are known to hold and not to be able to read, until it is healed. Bounded: what finds no
/// room is counted apart, and found again by the next scrub.
///
/// In memory: the index marks damaged content for good, and a disk that is opened lists what it finds marked.
final class DamageList: Sendable {
    struct Item: Sendable, Equatable {
        /// Of this node since its start; grows.
        var id: UInt64
        /// Path of the disk.
        var disk: String
        var record: DamagedRecord
    }

    fileprivate struct Place: Hashable {
        var disk: String
        var key: DamagedRecord.Key
    }

    fileprivate struct State {
        var lastID: UInt64 = 0
        var items: [UInt64: Item] = [:]
        var ids: [Place: UInt64] = [:]
        /// All ids in order, with those that have gone since; see `tidy`.
        var order: [UInt64] = []
        var listener: (@Sendable (Int) -> Void)?
    }

    static let limit = 100_000

    private let limit: Int
    private let state = Mutex(State())
    private let found: [DamagedRecord.Kind: Counter]
    private let repaired: Counter
    private let unlisted: Counter

    init(_ metrics: MetricsRegistry = MetricsRegistry(), limit: Int = DamageList.limit) {
        self.limit = limit
        found = Dictionary(
            uniqueKeysWithValues: DamagedRecord.Kind.allCases.map { kind in
                let help = "Records found that the disk has but cannot read."
                return (
                    kind, metrics.counter("storage_damage_found_total", help: help, labels: ["kind": kind.rawValue])
                )
            })
        repaired = metrics.counter(
            "storage_damage_repaired_total", help: "Damaged records that are readable again, or no longer needed.")
        unlisted = metrics.counter(
            "storage_damage_unlisted_total", help: "Damaged records found when the list of them was full.")
        metrics.gauge("storage_damaged_records", help: "Records that are known to be unreadable.") {
            [weak self] in Double(self?.count ?? 0)
        }
    }

    var count: Int { state.withLock { $0.items.count } }

    /// Called with the number of damaged records when one was found, by whoever found it: must not block.
    func onChange(_ listener: @escaping @Sendable (Int) -> Void) { state.withLock { $0.listener = listener } }

    /// Returns whether this is news.
    @discardableResult
    func note(_ record: DamagedRecord, disk: String) -> Bool {
        let place = Place(disk: disk, key: record.key)
        let (isNews, isListed, count, listener) = state.withLock { state in
            if let known = state.ids[place] {
                // Who finds it a second time may know more.
                if let owner = record.owner { state.items[known]?.record.owner = owner }
                state.items[known]?.record.position = record.position
                return (false, true, state.items.count, state.listener)
            }
            let isListed = state.items.count < limit
            if isListed { state.insert(record, place) }
            return (true, isListed, state.items.count, state.listener)
        }
        guard isNews else { return false }
        if isListed { found[record.kind]?.increment() } else { unlisted.increment() }
        listener?(count)
        return true
    }

    /// The record can be read again, or nothing needs it any more. Returns whether it was listed. `position`: only when
    /// the damaged copy stands somewhere else.
    @discardableResult
    func healed(_ key: DamagedRecord.Key, disk: String, by position: UInt64? = nil) -> Bool {
        let wasListed = state.withLock { state in
            let place = Place(disk: disk, key: key)
            if let position, let id = state.ids[place], state.items[id]?.record.position == position { return false }
            return state.remove(place)
        }
        if wasListed { repaired.increment() }
        return wasListed
    }

    func contains(_ record: DamagedRecord, disk: String) -> Bool {
        state.withLock { state in
            guard !state.ids.isEmpty, let id = state.ids[Place(disk: disk, key: record.key)] else { return false }
            return state.items[id]?.record.position == record.position
        }
    }

    /// Items with larger ids than `after`, in order.
    func page(after: UInt64, limit: Int) -> (items: [Item], total: Int) {
        state.withLock { state in
            let listed = state.items
            let start = state.order.partitioningIndex { $0 > after }
            let items = state.order[start...].lazy.compactMap { listed[$0] }.prefix(max(0, limit))
            return (Array(items), listed.count)
        }
    }

    /// Of one disk, at most `limit`.
    func records(of disk: String, limit: Int = .max) -> [DamagedRecord] {
        state.withLock { state in
            let listed = state.items
            let records = state.order.lazy.compactMap { listed[$0] }.filter { $0.disk == disk }.map(\.record)
            return Array(records.prefix(limit))
        }
    }

    func count(of disk: String) -> Int { state.withLock { $0.ids.keys.count { $0.disk == disk } } }

    /// The disk has left, or was opened anew: what was known of it is no longer true.
    func forget(disk: String) {
        state.withLock { state in
            for (place, _) in state.ids where place.disk == disk { state.remove(place) }
        }
    }
}

extension DamageList.State {
    mutating func insert(_ record: DamagedRecord, _ place: DamageList.Place) {
        lastID += 1
        items[lastID] = DamageList.Item(id: lastID, disk: place.disk, record: record)
        ids[place] = lastID
        order.append(lastID)
    }

    @discardableResult
    mutating func remove(_ place: DamageList.Place) -> Bool {
        guard let id = ids.removeValue(forKey: place) else { return false }
        items[id] = nil
        tidy()
        return true
    }

    /// Drops the ids of what has gone once they are more than half.
    private mutating func tidy() {
        guard order.count > 64, order.count > 2 * items.count else { return }
        order = order.filter { items[$0] != nil }
    }
}

extension Array {
    /// The first index of which the predicate holds; it holds for all behind one of which it holds.
    fileprivate func partitioningIndex(_ predicate: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
