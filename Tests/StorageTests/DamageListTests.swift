import MetadataIndex
import Model
import Observability
import Synchronization
import Testing

@testable import Storage

@Suite struct DamageListTests {
    let disk = "/disk-1"

    func chunk(_ index: UInt32) -> DamagedRecord {
        .content(BlobKey(ChunkName(blob: BlobID(high: 1, low: 1), index: index)), at: 64)
    }

    @Test("A record is listed once, whoever finds it, until it is healed")
    func once() {
        let list = DamageList()
        #expect(list.note(chunk(1), disk: disk))
        #expect(!list.note(chunk(1), disk: disk))
        #expect(list.count == 1 && list.contains(chunk(1), disk: disk))
        #expect(list.healed(chunk(1).key, disk: disk))
        #expect(!list.healed(chunk(1).key, disk: disk))
        #expect(list.count == 0)
    }

    @Test("Pages come in the order in which damage was found, and ids are never used again")
    func pages() {
        let list = DamageList()
        for index in 0..<300 as Range<UInt32> { list.note(chunk(index), disk: disk) }
        let first = list.page(after: 0, limit: 100)
        #expect(first.total == 300 && first.items.map(\.id) == Array(1...100))
        for index in 0..<290 as Range<UInt32> { list.healed(chunk(index).key, disk: disk) }
        #expect(list.page(after: first.items.last!.id, limit: 100).items.map(\.record) == (290..<300).map(chunk))
        list.note(chunk(0), disk: disk)
        #expect(list.page(after: 300, limit: 10).items.map(\.id) == [301])
    }

    @Test("A full list counts what it has no room for; a later finder lists it")
    func full() {
        let registry = MetricsRegistry()
        let list = DamageList(registry, limit: 2)
        for index in 0..<3 as Range<UInt32> { #expect(list.note(chunk(index), disk: disk)) }
        #expect(list.count == 2 && !list.contains(chunk(2), disk: disk))
        list.healed(chunk(0).key, disk: disk)
        #expect(list.note(chunk(2), disk: disk) && list.contains(chunk(2), disk: disk))
    }

    @Test("Who finds damage again may add whose it is")
    func owner() {
        let list = DamageList()
        let owner = RegisterName(bucket: BucketID(high: 2, low: 2), key: [7])
        let key = BlobKey(BlobID(high: 3, low: 3))
        list.note(.content(key, at: 64), disk: disk)
        list.note(.content(key, at: 64, owner: owner), disk: disk)
        list.note(.content(key, at: 64), disk: disk)
        #expect(list.page(after: 0, limit: 9).items.map(\.record.owner) == [owner])
    }

    @Test("Only a copy that stands somewhere else heals a record")
    func otherCopy() {
        let list = DamageList()
        list.note(chunk(1), disk: disk)
        #expect(!list.healed(chunk(1).key, disk: disk, by: 64))
        var later = chunk(1)
        later.position = 128
        list.note(later, disk: disk)
        #expect(list.contains(later, disk: disk) && !list.contains(chunk(1), disk: disk))
        #expect(list.healed(chunk(1).key, disk: disk, by: 200) && list.count == 0)
    }

    @Test("Damage of a disk that left is forgotten, of others not; finds are told")
    func disks() {
        let list = DamageList()
        let told = Mutex<[Int]>([])
        list.onChange { count in told.withLock { $0.append(count) } }
        list.note(chunk(1), disk: disk)
        list.note(chunk(1), disk: "/disk-2")
        list.note(chunk(1), disk: "/disk-2")
        list.forget(disk: disk)
        #expect(list.records(of: disk).isEmpty && list.records(of: "/disk-2") == [chunk(1)])
        #expect(told.withLock { $0 } == [1, 2])
    }
}
