import Model
import Testing

@testable import Ring

@Suite struct RingTableTests {
    private static let key = (0..<16).map { UInt8($0) }

    private func table(_ count: Int, epoch: UInt64 = 1, nodes: [NodeName] = ["a", "b", "c"]) throws -> RingTable {
        let partitions = (0..<count).map { _ in PartitionReplicas(current: nodes) }
        return try #require(RingTable(epoch: epoch, hashKey: Self.key, partitions: partitions))
    }

    @Test("the partition is the top bits of the position", arguments: [1, 2, 64, 1024])
    func topBits(count: Int) throws {
        let table = try table(count)
        let hash = try #require(PositionHash(key: Self.key))
        let name = RegisterName(bucket: BucketID(high: 1, low: 2), key: Array("photo.jpg".utf8))
        let position = hash.position(name.indexKey)
        #expect(table.partition(of: name) == Int(position / (UInt64.max / UInt64(count) + (count == 1 ? 0 : 1))))
    }

    @Test("keys spread evenly over the partitions")
    func spread() throws {
        let table = try table(16)
        var counts = [Int](repeating: 0, count: 16)
        for number in 0..<16_000 {
            counts[
                table.partition(of: RegisterName(bucket: BucketID(high: 0, low: 0), key: Array("\(number)".utf8)))] += 1
        }
        #expect(counts.allSatisfy { (850...1150).contains($0) })
    }

    @Test("chunks of one blob have positions of their own")
    func chunks() throws {
        let table = try table(1024)
        let blob = BlobID(high: 3, low: 4)
        #expect(ChunkName(blob: blob, index: 0x0102_0304).ringKey == blob.bytes + [1, 2, 3, 4])
        let places = Set((0..<64).map { table.partition(of: ChunkName(blob: blob, index: $0)) })
        #expect(places.count > 50)
    }

    @Test("the hash tells apart everything that matters and is the same everywhere")
    func contentHash() throws {
        let table = try table(4)
        #expect(try table == self.table(4))
        #expect(table.hash != (try self.table(8)).hash)
        #expect(table.hash != (try self.table(4, epoch: 2)).hash)
        #expect(table.hash != (try self.table(4, nodes: ["a", "c", "b"])).hash)
        #expect(table.hash != (try self.table(4, nodes: ["a", "b", "d"])).hash)
        #expect(table.hashText.count == 8)
        var check = TableChecksum()
        check.add(Array("123456789".utf8))
        #expect(check.value == 0xcbf4_3926)
    }

    @Test("a table that cannot be is refused")
    func refused() {
        let good = PartitionReplicas(current: ["a"])
        #expect(RingTable(epoch: 1, hashKey: [1], partitions: [good]) == nil)
        #expect(RingTable(epoch: 1, hashKey: Self.key, partitions: []) == nil)
        #expect(RingTable(epoch: 1, hashKey: Self.key, partitions: [good, good, good]) == nil)
        #expect(RingTable(epoch: 1, hashKey: Self.key, partitions: [.init(current: [])]) == nil)
        #expect(RingTable(epoch: 1, hashKey: Self.key, partitions: [.init(current: ["a", "a"])]) == nil)
        #expect(RingTable(epoch: 1, hashKey: Self.key, partitions: [.init(current: ["a"], next: ["b", "b"])]) == nil)
    }

    @Test("a moving partition has two sets and each node once")
    func moving() {
        let replicas = PartitionReplicas(current: ["a", "b"], next: ["b", "c"])
        #expect(replicas.sets == [["a", "b"], ["b", "c"]])
        #expect(replicas.nodes == ["a", "b", "c"])
        #expect(PartitionReplicas(current: ["a"]).sets == [["a"]])
    }
}
