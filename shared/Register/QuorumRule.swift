import Model

/// A set of replicas of one register, as a bit mask over `QuorumRule.members`.
public struct MemberSet: Hashable, Sendable {
    var bits: UInt32 = 0

    public init() {}
    init(bits: UInt32) { self.bits = bits }

    public var isEmpty: Bool { bits == 0 }
    public var count: Int { bits.nonzeroBitCount }

    public func contains(_ index: Int) -> Bool { bits & 1 << UInt32(index) != 0 }
    /// Returns whether the member is new.
    @discardableResult
    public mutating func insert(_ index: Int) -> Bool {
        let old = bits
        bits |= 1 << UInt32(index)
        return bits != old
    }
    public mutating func remove(_ index: Int) { bits &= ~(1 << UInt32(index)) }
    public func union(_ other: Self) -> Self { Self(bits: bits | other.bits) }
    public func subtracting(_ other: Self) -> Self { Self(bits: bits & ~other.bits) }
}

/// Which replicas together may promise, write and read. While a partition moves, two sets of replicas are in force,
/// and every quorum must be one in each of them.
///
/// A write is decided when a write quorum has accepted it under one ballot. Every prepare quorum and every read quorum
/// meets it if the levels are majorities: that is what makes each key linearizable.
public struct QuorumRule: Sendable, Equatable {
    /// All replicas, each once, those of the first set first and in its order of preference.
    public let members: [NodeName]
    private let sets: [Requirement]

    private struct Requirement: Sendable, Equatable {
        var mask: UInt32
        var prepare: Int
        var write: Int
        var read: Int
        var size: Int { mask.nonzeroBitCount }
    }

    /// The same sizes for each set, each cut to the size of the set. Empty sets are left out.
    public init(sets: [[NodeName]], prepare: Int, write: Int, read: Int) {
        self.init(sets: sets) { size in
            (min(max(prepare, 1), size), min(max(write, 1), size), min(max(read, 1), size))
        }
    }

    /// The sizes of a consistency level. Prepare takes a majority if `write` is at least one, else as many as `write`;
    /// also for a delete, so that its ballot is above every write that it is to end.
    /// In a set that is not of `level.replicas` nodes a majority stays a majority.
    public init(sets: [[NodeName]], level: ConsistencyLevel, deleting: Bool = false) {
        self.init(sets: sets) { size in
            let scaled = level.inSet(of: size)
            return (min(scaled.write, scaled.majority), deleting ? scaled.delete : scaled.write, scaled.read)
        }
    }

    /// For rounds that heal replicas which have lost their memory: as many promises as meet every set of replicas that can
    /// have decided a write or a delete, or have shown a state to a reader, so that those who have forgotten need not be
    /// among them. Where one replica can decide alone that is all of them, and nothing can be healed. Reads below a
    /// majority promise nothing, and do not count.
    public init(healing sets: [[NodeName]], level: ConsistencyLevel) {
        self.init(sets: sets) { size in
            let scaled = level.inSet(of: size)
            return (scaled.meetingEveryQuorum, scaled.write, scaled.read)
        }
    }

    /// For rounds that hear every replica, so that even a state that only one of them has is carried on.
    public init(hearingAll sets: [[NodeName]], level: ConsistencyLevel) {
        self.init(sets: sets) { size in
            let scaled = level.inSet(of: size)
            return (size, max(scaled.write, scaled.majority), scaled.read)
        }
    }

    private init(sets: [[NodeName]], sizes: (Int) -> (prepare: Int, write: Int, read: Int)) {
        var members: [NodeName] = []
        var requirements: [Requirement] = []
        for set in sets where !set.isEmpty {
            var mask: UInt32 = 0
            for node in set {
                let index = members.firstIndex(of: node) ?? members.count
                if index == members.count { members.append(node) }
                precondition(index < 32, "more replicas of one register than the protocol provides for")
                mask |= 1 << UInt32(index)
            }
            let size = sizes(mask.nonzeroBitCount)
            requirements.append(Requirement(mask: mask, prepare: size.prepare, write: size.write, read: size.read))
        }
        self.members = members
        self.sets = requirements
    }

    // MARK: - Members

    public func index(of node: NodeName) -> Int? { members.firstIndex(of: node) }

    /// Nodes that are no members are left out.
    public func memberSet(_ nodes: some Sequence<NodeName>) -> MemberSet {
        var set = MemberSet()
        for node in nodes { if let index = index(of: node) { set.insert(index) } }
        return set
    }

    /// In the order of `members`.
    public func names(_ set: MemberSet) -> [NodeName] { members.indices.filter(set.contains).map { members[$0] } }

    public var everybody: MemberSet { MemberSet(bits: members.count == 32 ? .max : 1 << UInt32(members.count) - 1) }

    /// The replicas on whose states a writer builds: those of the first set. One that is only in the second set, that of the
    /// future, may still have what it was sent when it held the register long ago, and was never decided. What
    /// has been decided since, the first set has too.
    public var witnesses: MemberSet { MemberSet(bits: sets.first?.mask ?? 0) }

    // MARK: - Quorums

    public func isPrepareQuorum(_ set: MemberSet) -> Bool { satisfies(set) { $0.prepare } }
    public func isWriteQuorum(_ set: MemberSet) -> Bool { satisfies(set) { $0.write } }
    public func isReadQuorum(_ set: MemberSet) -> Bool { satisfies(set) { $0.read } }

    public func isPrepareQuorum(_ nodes: Set<NodeName>) -> Bool { isPrepareQuorum(memberSet(nodes)) }
    public func isWriteQuorum(_ nodes: Set<NodeName>) -> Bool { isWriteQuorum(memberSet(nodes)) }
    public func isReadQuorum(_ nodes: Set<NodeName>) -> Bool { isReadQuorum(memberSet(nodes)) }

    /// Whether a quorum is still possible when these replicas will never answer.
    public func canStillPrepare(without failed: MemberSet) -> Bool { isPrepareQuorum(everybody.subtracting(failed)) }
    public func canStillWrite(without failed: MemberSet) -> Bool { isWriteQuorum(everybody.subtracting(failed)) }
    public func canStillRead(without failed: MemberSet) -> Bool { isReadQuorum(everybody.subtracting(failed)) }

    /// Whether a state that these replicas hold is decided: a write quorum has it. Fewer may be enough for no quorum to miss
    /// it, but then the loss of one of them could undo what was acknowledged.
    public func isDecided(heldBy set: MemberSet) -> Bool { isWriteQuorum(set) }

    /// The smallest set that a read asks first: the preferred replicas of each set.
    public var firstReaders: MemberSet {
        var chosen = MemberSet()
        for set in sets {
            for index in members.indices where set.mask & 1 << UInt32(index) != 0 {
                if (chosen.bits & set.mask).nonzeroBitCount >= set.read { break }
                chosen.insert(index)
            }
        }
        return chosen
    }

    private func satisfies(_ set: MemberSet, _ size: (Requirement) -> Int) -> Bool {
        !sets.isEmpty && sets.allSatisfy { ($0.mask & set.bits).nonzeroBitCount >= size($0) }
    }
}
