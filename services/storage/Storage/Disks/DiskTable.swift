import Foundation

/// Which disk of a node holds what, for good. A pure value; ``DiskTableFile`` keeps it in the node's data directory.
///
/// A key belongs to one of 256 slots, by a hash of its name; each slot is assigned to one disk, which alone answers for
/// it. A disk is added or emptied by moving slots, some at a time.
struct DiskTable: Codable, Equatable {
    static let slotCount = 256
    static let formatVersion = 2
    /// Numbers of disks: they are part of the ids of hints.
    static let numbers = 0..<1024

    enum Standing: String, Codable {
        case serving
        /// Its slots are being moved to the others.
        case draining
        /// Holds nothing; kept so that a configuration that still names it does not bring it back.
        case retired
        /// Its log was lost, an empty one takes its place: what it finds at its path is new and has forgotten everything.
        case replacing
    }

    struct Disk: Codable, Equatable {
        /// Never changes, and is used again only when the disk is gone.
        var number: Int
        var path: String
        /// Of its log, in hex digits; nil: it has never been in service. A disk with another log was wiped or replaced:
        /// it must not answer as if it had never promised or accepted anything.
        var id: String?
        var weight: Int
        var standing = Standing.serving
    }

    /// Slots of which a disk may have records without owning them: copies that never took effect, or what it had before
    /// it gave them away.
    struct Remnant: Codable, Equatable {
        var disk: Int
        var slots: [Int]
    }

    var version = formatVersion
    /// Grows with every change.
    var revision: UInt64 = 0
    var disks: [Disk]
    /// Number of the disk of each slot.
    var slots: [Int]
    var remnants: [Remnant] = []

    /// The first table of a node.
    init(_ disks: [(path: String, weight: Int)]) {
        self.disks = disks.enumerated().map { Disk(number: $0, path: $1.path, weight: $1.weight) }
        let empty = Array(repeating: -1, count: Self.slotCount)
        slots = SlotPlacement.slots(from: empty, shares: self.disks.map { .init(disk: $0.number, weight: $0.weight) })
    }

    // MARK: - Questions

    func disk(at path: String) -> Disk? { disks.first { $0.path == path } }
    func disk(_ number: Int) -> Disk? { disks.first { $0.number == number } }
    func slots(of number: Int) -> [Int] { slots.indices.filter { slots[$0] == number } }
    func remnants(of number: Int) -> [Int] { remnants.first { $0.disk == number }?.slots ?? [] }

    /// Where slots should be, with the disks that there are.
    var placement: [Int] {
        SlotPlacement.slots(
            from: slots,
            shares: disks.filter { $0.standing == .serving || $0.standing == .replacing }
                .map { .init(disk: $0.number, weight: $0.weight) })
    }

    /// Why the table cannot be true; nil: it can.
    var fault: String? {
        let numbers = Set(disks.map(\.number))
        if disks.isEmpty || numbers.count != disks.count { return "numbers of disks" }
        if !disks.allSatisfy({ Self.numbers.contains($0.number) && SlotPlacement.weights.contains($0.weight) }) {
            return "number or weight of a disk"
        }
        if Set(disks.map(\.path)).count != disks.count { return "a path stands twice" }
        if slots.count != Self.slotCount || !slots.allSatisfy(numbers.contains) { return "disks of slots" }
        let slotsAreKnown = remnants.allSatisfy { $0.slots.allSatisfy((0..<Self.slotCount).contains) }
        return slotsAreKnown && remnants.allSatisfy { numbers.contains($0.disk) } ? nil : "remnants"
    }

    // MARK: - Changes

    /// A new disk without slots. Returns its number.
    mutating func add(_ path: String, weight: Int) throws(StorageError) -> Int {
        if let known = disk(at: path) {
            guard known.standing == .retired else { throw .malformed("\(path) is a disk of this node already") }
            disks.removeAll { $0.path == path }
        }
        guard SlotPlacement.weights.contains(weight) else { throw .malformed("a weight is 1 to 1000000000") }
        guard let number = Self.numbers.first(where: { disk($0) == nil }) else { throw .malformed("too many disks") }
        disks.append(Disk(number: number, path: path, weight: weight))
        remnants.removeAll { $0.disk == number }
        return number
    }

    mutating func setWeight(_ weight: Int, of path: String) throws(StorageError) {
        guard SlotPlacement.weights.contains(weight) else { throw .malformed("a weight is 1 to 1000000000") }
        disks[try index(of: path)].weight = weight
    }

    mutating func drain(_ path: String) throws(StorageError) {
        let index = try index(of: path)
        guard disks[index].standing != .retired else { throw .malformed("\(path) is retired") }
        guard disks.contains(where: { $0.path != path && $0.standing == .serving }) else {
            throw .malformed("there is no other disk that could take what \(path) holds")
        }
        disks[index].standing = .draining
    }

    mutating func cancelDrain(_ path: String) throws(StorageError) {
        let index = try index(of: path)
        guard disks[index].standing == .draining else { throw .malformed("\(path) is not being drained") }
        disks[index].standing = .serving
    }

    mutating func setStanding(_ standing: Standing, of number: Int) {
        for index in disks.indices where disks[index].number == number { disks[index].standing = standing }
    }

    /// To be recorded before the disk answers anybody.
    mutating func noteService(of number: Int, id: String) {
        for index in disks.indices where disks[index].number == number {
            disks[index].id = id
            if disks[index].standing == .replacing { disks[index].standing = .serving }
        }
    }

    mutating func assign(_ moved: some Sequence<Int>, to number: Int) { for slot in moved { slots[slot] = number } }

    /// The disk may have records of these slots from now on.
    mutating func addRemnant(_ new: some Sequence<Int>, of number: Int) {
        let all = Set(remnants(of: number)).union(new).sorted()
        remnants.removeAll { $0.disk == number }
        if !all.isEmpty { remnants.append(Remnant(disk: number, slots: all)) }
    }

    mutating func removeRemnant(_ gone: some Sequence<Int>, of number: Int) {
        let left = Set(remnants(of: number)).subtracting(gone).sorted()
        remnants.removeAll { $0.disk == number }
        if !left.isEmpty { remnants.append(Remnant(disk: number, slots: left)) }
    }

    /// The disk is gone for ever; its slots must be others' already.
    mutating func remove(_ number: Int) {
        disks.removeAll { $0.number == number }
        remnants.removeAll { $0.disk == number }
    }

    private func index(of path: String) throws(StorageError) -> Int {
        guard let index = disks.firstIndex(where: { $0.path == path }) else {
            throw .notFound("\(path) is no disk of this node")
        }
        return index
    }
}
