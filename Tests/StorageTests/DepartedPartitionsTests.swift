import Foundation
import Logging
import MetadataIndex
import Model
import Observability
import Ring
import Testing
import Threads

@testable import Storage

/// A node gives back what a change of the ring took away from it.
@Suite struct DepartedPartitionsTests {
    private let ring = Monitor(RingTable?.none)

    private func install(epoch: UInt64, holding held: Set<Int>, next: Set<Int> = []) {
        let partitions = (0..<8).map { number in
            PartitionReplicas(
                current: [held.contains(number) ? "storage-1" : "storage-2"],
                next: next.contains(number) ? ["storage-1"] : [], epoch: epoch)
        }
        ring.withLock { $0 = RingTable(epoch: epoch, hashKey: Array(0..<16), partitions: partitions) }
    }

    private func departed(_ node: NodeFixture, patience: Duration = .zero) throws -> DepartedPartitions {
        let directory = NSTemporaryDirectory() + "departed-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let (ring, engine) = (ring, node.engine)
        let gate = try RingGate(
            path: directory + "/adopted-epoch", node: "storage-1", ring: { ring.withLock { $0 } },
            leaving: { engine.leavingPartitions })
        return DepartedPartitions(
            engine: engine, gate: gate, ring: { ring.withLock { $0 } }, patience: patience,
            metrics: MetricsRegistry(), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    private func held(_ node: NodeFixture) throws -> Set<Int> {
        let digests = try node.engine.digests(ring.withLock { $0! })
        return Set(digests.indices.filter { digests[$0].registerCount + digests[$0].chunkCount > 0 })
    }

    /// Keys of some partitions as the index has them.
    private func registers(_ node: NodeFixture) throws -> Set<Int> {
        var partitions: Set<Int> = []
        for disk in node.engine.disks {
            try disk.index.registers().visit { name, _ in
                partitions.insert(ring.withLock { $0!.partition(of: name) })
                return true
            }
        }
        return partitions
    }

    @Test("What departed goes from all disks, also over a crash and without indexes; the rest stays")
    func departing() throws {
        let node = try NodeFixture(disks: 2)
        var content = NodeContent()
        try content.write(to: node, keys: 200)
        install(epoch: 3, holding: Set(0..<8))
        try departed(node).look()
        #expect(try held(node) == Set(0..<8))
        install(epoch: 4, holding: [0, 1, 2, 3, 4])
        try departed(node).look()
        #expect(node.engine.leavingPartitions == [5, 6, 7])
        for losingIndexes in [false, true] {
            try node.crash(.dropped, losingIndexes: losingIndexes)
            #expect(node.engine.leavingPartitions == [5, 6, 7])
        }
        try node.moveAll()
        #expect(node.engine.leavingPartitions.isEmpty)
        for losingIndexes in [false, true] {
            #expect(try held(node) == Set(0..<5))
            #expect(try registers(node) == Set(0..<5))
            try node.crash(.dropped, losingIndexes: losingIndexes)
            try node.moveAll()
        }
    }

    @Test("A partition that the node is to hold again, or that has not been away for long, stays")
    func staying() throws {
        let node = try NodeFixture(disks: 1)
        var content = NodeContent()
        try content.write(to: node, keys: 100)
        install(epoch: 4, holding: [0, 1], next: [2, 3])
        let departed = try departed(node, patience: .seconds(600))
        let now = ContinuousClock.now
        try departed.look(now: now)
        try departed.look(now: now + .seconds(599))
        #expect(node.engine.leavingPartitions.isEmpty)
        install(epoch: 5, holding: [0, 1, 4], next: [2, 3])
        try departed.look(now: now + .seconds(600))
        #expect(node.engine.leavingPartitions == [5, 6, 7])
        try node.moveAll()
        #expect(try held(node) == Set(0..<5))
    }

    @Test("What comes late for a departed partition goes too")
    func late() throws {
        let node = try NodeFixture(disks: 1)
        var content = NodeContent()
        try content.write(to: node, keys: 50)
        install(epoch: 4, holding: [0])
        let departed = try departed(node)
        try departed.look()
        try node.moveAll()
        #expect(try held(node).isSubset(of: [0]))
        try content.write(to: node, keys: 50, from: 1 << 30)
        #expect(try held(node).count > 1)
        try departed.look()
        try node.moveAll()
        #expect(try held(node).isSubset(of: [0]))
    }
}
