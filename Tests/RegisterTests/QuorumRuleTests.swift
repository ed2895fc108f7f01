import Model
import Testing

@testable import Register

@Suite struct QuorumRuleTests {
    private static let three = QuorumRule(sets: [[a, b, c]], level: .majority(of: 3))
    /// A partition that moves from a, b, c to c, d, e.
    private static let moving = QuorumRule(sets: [[a, b, c], [c, d, e]], level: .majority(of: 3))

    @Test("a majority of three is two")
    func majority() {
        #expect(!Self.three.isWriteQuorum([a]))
        #expect(Self.three.isWriteQuorum([a, c]))
        #expect(Self.three.isReadQuorum([b, c]))
        #expect(Self.three.isPrepareQuorum([a, b, c]))
        #expect(!Self.three.isWriteQuorum([a, d, e]))
    }

    @Test("a moving partition needs a quorum of each set")
    func joint() {
        #expect(Self.moving.members == [a, b, c, d, e])
        #expect(!Self.moving.isWriteQuorum([a, b, c]))
        #expect(!Self.moving.isWriteQuorum([c, d, e]))
        #expect(Self.moving.isWriteQuorum([a, c, d]))
        #expect(Self.moving.isReadQuorum([a, b, d, e]))
        #expect(!Self.moving.isPrepareQuorum([a, d, e]))
    }

    @Test("a quorum that cannot come any more is known early")
    func canStill() {
        #expect(Self.three.canStillWrite(without: Self.three.memberSet([a])))
        #expect(!Self.three.canStillRead(without: Self.three.memberSet([a, b])))
        #expect(Self.moving.canStillPrepare(without: Self.moving.memberSet([a, e])))
        #expect(!Self.moving.canStillPrepare(without: Self.moving.memberSet([d, e])))
        #expect(!Self.moving.canStillWrite(without: Self.moving.memberSet([a, c])))
    }

    @Test("sizes of every level", arguments: 1...7)
    func levels(replicas: Int) throws {
        let names = (0..<replicas).map { NodeName("n\($0)") }
        for write in 1...replicas {
            for read in 1...replicas {
                let level = try #require(
                    ConsistencyLevel(replicas: replicas, write: write, read: read, delete: replicas))
                let rule = QuorumRule(sets: [names], level: level)
                let prepare = min(write, replicas / 2 + 1)
                for count in 1...replicas {
                    let some = rule.memberSet(names.prefix(count))
                    #expect(rule.isWriteQuorum(some) == (count >= write))
                    #expect(rule.isReadQuorum(some) == (count >= read))
                    #expect(rule.isPrepareQuorum(some) == (count >= prepare))
                }
                let deleting = QuorumRule(sets: [names], level: level, deleting: true)
                #expect(!deleting.isWriteQuorum(deleting.memberSet(names.dropLast())))
                #expect(deleting.isPrepareQuorum(deleting.memberSet(names.prefix(prepare))))
            }
        }
    }

    @Test("a delete that one replica may acknowledge is still prepared by a majority")
    func weakDelete() throws {
        let level = try #require(ConsistencyLevel(replicas: 3, write: 2, read: 2, delete: 1))
        let rule = QuorumRule(sets: [[a, b, c]], level: level, deleting: true)
        #expect(rule.isWriteQuorum([a]) && !rule.isPrepareQuorum([a]) && rule.isPrepareQuorum([a, b]))
    }

    @Test("in a set of another size a majority stays a majority, a small level small")
    func otherSize() throws {
        let five = QuorumRule(sets: [[a, b, c, d, e]], level: .majority(of: 3))
        #expect(!five.isWriteQuorum([a, b]))
        #expect(five.isWriteQuorum([a, b, c]))
        let one = try #require(ConsistencyLevel(replicas: 3, write: 1, read: 1, delete: 1))
        #expect(QuorumRule(sets: [[a, b, c, d, e]], level: one).isWriteQuorum([e]))
        let all = try #require(ConsistencyLevel(replicas: 3, write: 3, read: 1, delete: 3))
        #expect(QuorumRule(sets: [[a]], level: all).isWriteQuorum([a]))
    }

    @Test("a state is decided when a write quorum holds it, however many a reader asks")
    func decided() throws {
        #expect(!Self.three.isDecided(heldBy: Self.three.memberSet([a])))
        #expect(Self.three.isDecided(heldBy: Self.three.memberSet([a, b])))
        #expect(!Self.moving.isDecided(heldBy: Self.moving.memberSet([a, b, c])))
        // Two of three meet every quorum of promises and of reads, but the loss of one would undo it.
        let all = try #require(ConsistencyLevel(replicas: 3, write: 3, read: 2, delete: 3))
        let rule = QuorumRule(sets: [[a, b, c]], level: all)
        #expect(!rule.isDecided(heldBy: rule.memberSet([a, b])) && rule.isDecided(heldBy: rule.everybody))
        // A single reader meets only what all have.
        let one = try #require(ConsistencyLevel(replicas: 3, write: 3, read: 1, delete: 3))
        let weak = QuorumRule(sets: [[a, b, c]], level: one)
        #expect(!weak.isDecided(heldBy: weak.memberSet([a, b])))
    }

    @Test("the preferred replicas of each set are read first")
    func firstReaders() {
        #expect(Self.three.names(Self.three.firstReaders) == [a, b])
        #expect(Self.moving.names(Self.moving.firstReaders) == [a, b, c, d])
    }

    @Test("without replicas there is no quorum")
    func empty() {
        let rule = QuorumRule(sets: [], prepare: 1, write: 1, read: 1)
        #expect(!rule.isReadQuorum(MemberSet()) && !rule.isDecided(heldBy: MemberSet()))
        #expect(!rule.canStillWrite(without: MemberSet()))
    }

    @Test(
        "to heal, promises must meet every quorum that can have decided a write or a delete",
        arguments: [
            // replicas, write, read, delete, promises needed
            (3, 2, 2, 2, 2), (5, 3, 3, 3, 3), (4, 3, 3, 3, 2), (2, 2, 2, 2, 1), (3, 3, 3, 3, 1), (3, 3, 2, 3, 2),
            (3, 3, 1, 3, 1), (3, 2, 1, 2, 2), (3, 2, 2, 1, 3), (3, 1, 1, 1, 3), (1, 1, 1, 1, 1),
        ])
    func healing(replicas: Int, write: Int, read: Int, delete: Int, needed: Int) {
        let nodes = (1...replicas).map { NodeName("storage-\($0)") }
        let level = ConsistencyLevel(replicas: replicas, write: write, read: read, delete: delete)!
        let rule = QuorumRule(healing: [nodes], level: level)
        #expect(rule.isPrepareQuorum(Set(nodes.prefix(needed))))
        #expect(!rule.isPrepareQuorum(Set(nodes.prefix(needed - 1))))
        #expect(rule.isWriteQuorum(Set(nodes.prefix(write))) && !rule.isWriteQuorum(Set(nodes.prefix(write - 1))))
    }
}
