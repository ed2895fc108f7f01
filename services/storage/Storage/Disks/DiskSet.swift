import MetadataIndex
import Synchronization

/// The disks of a node as they are now, and which of them answers for which slot.
///
/// A request looks its disk up, and the disk checks under its own lock that it still owns the slot. So at a cutover the
/// disk that gives a slot away decides nothing more from one moment on; what comes then is parked until the slot has its
/// new disk, and asks again.
final class DiskSet: Sendable {
    /// A request that came at a cutover. Runs on the thread that moves slots, or fails it.
    typealias Parked = @Sendable (StorageError?) -> Void

    /// Who owns what at one moment.
    struct Routing: Sendable {
        var version: UInt64
        var disks: [DiskSlot]
        /// Of each slot, into `disks`.
        fileprivate(set) var owners: [Int]

        func disk(ofSlot slot: Int) -> DiskSlot { disks[owners[slot]] }
        func disk(_ number: Int) -> DiskSlot? { disks.first { $0.number == number } }
        func slots(of disk: DiskSlot) -> SlotSet {
            SlotSet(owners.indices.filter { disks[owners[$0]] === disk })
        }
        /// Those that answer for any slot.
        var inUse: [DiskSlot] {
            let used = Set(owners)
            return disks.indices.filter(used.contains).map { disks[$0] }
        }
    }

    fileprivate struct State {
        var table: DiskTable
        var routing: Routing
        /// Between two disks.
        var moving = SlotSet()
        /// Nobody knows which of two disks owns them until the table can be written again.
        var isBlocked = false
        var parked: [Parked] = []
    }

    static let parkedMax = 10_000
    private let state: Mutex<State>
    private let file: DiskTableFile
    /// One change of the table at a time.
    private let storing = Mutex(())

    /// One change of who owns what at a time: a cutover, a disk that comes into service.
    private let transition = Mutex(())

    init(_ table: DiskTable, file: DiskTableFile) {
        self.file = file
        state = Mutex(State(table: table, routing: Self.routing(table, [], version: 1)))
    }

    private static func routing(_ table: DiskTable, _ disks: [DiskSlot], version: UInt64) -> Routing {
        let sorted = table.disks.map { entry in
            disks.first { $0.number == entry.number && $0.path == entry.path }
                ?? DiskSlot(number: entry.number, path: entry.path)
        }
        let owners = table.slots.map { number in sorted.firstIndex { $0.number == number }! }
        return Routing(version: version, disks: sorted, owners: owners)
    }

    var table: DiskTable { state.withLock { $0.table } }
    var routing: Routing { state.withLock { $0.routing } }
    var disks: [DiskSlot] { routing.disks }

    /// The disk that answers for a slot, and the version of the routing that says so.
    func disk(ofSlot slot: Int) -> (disk: DiskSlot, version: UInt64) {
        state.withLock { ($0.routing.disk(ofSlot: slot), $0.routing.version) }
    }

    /// Whether keys of slots that a disk does not own may be in its index.
    var isShared: Bool { state.withLock { $0.table.disks.count > 1 } }

    // MARK: - Changes

    /// Makes a change of the table durable, then in force. Disks that the new table does not know are forgotten, those that
    /// it has besides are to be opened by the caller.
    ///
    /// An indeterminate failure leaves everything as it is: the caller stores again before it answers anybody.
    func change(_ body: (inout DiskTable) throws -> Void) throws {
        try storing.withLock { _ in
            let (before, disks) = state.withLock { ($0.table, $0.routing.disks) }
            var table = before
            try body(&table)
            guard table != before else { return }
            table.revision += 1
            try file.store(table)
            state.withLock { state in
                state.table = table
                state.routing = Self.routing(table, disks, version: state.routing.version + 1)
            }
        }
    }

    /// Runs something that changes who decides about which slot, while nothing else does.
    func inTransition<R>(_ body: () throws -> R) rethrows -> R { try transition.withLock { _ in try body() } }

    /// Lets each of these disks, if it is in service, own what the table gives it. In a transition.
    func applyOwners(to disks: [DiskSlot]) {
        let table = table
        for disk in disks {
            if case .success(let replica) = disk.replica { replica.own(SlotSet(table.slots(of: disk.number))) }
        }
    }

    /// A disk that was opened begins to serve with what the table gives it, whatever has changed since it was opened.
    func putInService(_ disk: DiskSlot, _ replica: DiskReplica) {
        inTransition {
            replica.own(SlotSet(table.slots(of: disk.number)))
            disk.enter(.running(replica))
        }
    }

    // MARK: - Cutover

    /// From now on requests that a disk refuses because it has given the slot away are parked.
    func beginCutover(of slots: SlotSet) { state.withLock { $0.moving = slots } }

    /// Parked requests fail, and so do those that come, until the cutover ends.
    func blockCutover() {
        let parked = state.withLock { state in
            state.isBlocked = true
            return state.takeParked()
        }
        for request in parked {
            request(.unavailable("the slot is between two disks, and disks.json cannot be written"))
        }
    }

    /// The slots have an owner, the old one or the new one.
    func endCutover() {
        let parked = state.withLock { state in
            state.moving = SlotSet()
            state.isBlocked = false
            // Also when the old owner has them back: those that wait must ask again.
            state.routing.version += 1
            return state.takeParked()
        }
        for request in parked { request(nil) }
    }

    /// A disk refused a request because it does not own one of the slots. It asks again when that may help.
    func park(_ slots: SlotSet, version: UInt64, _ request: @escaping Parked) {
        let answer = state.withLock { state -> StorageError?? in
            if state.routing.version != version { return .some(nil) }
            guard !state.moving.intersection(slots).isEmpty, !state.isBlocked else {
                return .unavailable("the slot is between two disks")
            }
            guard state.parked.count < Self.parkedMax else { return .overloaded }
            state.parked.append(request)
            return nil
        }
        if let answer { request(answer) }
    }
}

extension DiskSet.State {
    fileprivate mutating func takeParked() -> [DiskSet.Parked] {
        defer { parked = [] }
        return parked
    }
}
