import MetadataIndex
import Model
import NIOCore
import Synchronization
import Testing
import Threads

@testable import Storage

@Suite struct BoundsTests {
    private func blob(_ size: Int) -> StagedBlob {
        StagedBlob(bytes: ByteBuffer(repeating: 1, count: size), checksum: 0)
    }

    @Test("Staged blobs stay within their memory: the oldest go first")
    func stagedMemory() {
        let staged = StagedBlobs(sizeMax: 1000)
        for number in UInt64(0)..<200 { staged.put(BlobID(high: 0, low: number), blob(300)) }
        #expect(staged.bytes == 900)
        #expect(staged.take(BlobID(high: 0, low: 196)) == nil)
        #expect(staged.take(BlobID(high: 0, low: 199)) != nil)
        #expect(staged.bytes == 600)
        staged.put(BlobID(high: 0, low: 500), blob(1001))
        #expect(!staged.contains(BlobID(high: 0, low: 500)))
    }

    @Test("A staged blob that nobody commits is dropped after its time")
    func stagedLifetime() {
        let staged = StagedBlobs(sizeMax: 1000, lifetime: .seconds(30))
        let start = ContinuousClock.now
        staged.put(BlobID(high: 0, low: 1), blob(10), now: start)
        staged.put(BlobID(high: 0, low: 2), blob(10), now: start.advanced(by: .seconds(20)))
        staged.dropExpired(now: start.advanced(by: .seconds(31)))
        #expect(staged.bytes == 10)
        #expect(staged.contains(BlobID(high: 0, low: 2)))
    }

    @Test("A pool refuses work beyond its queue, runs what it took, and nothing after its stop")
    func workerPool() {
        let pool = WorkerPool(queueMax: 2)
        let gate = Monitor(false)
        final class Count: Sendable { let value = Atomic<Int>(0) }
        let count = Count()
        #expect(pool.submit { gate.waiting { open, waiter in while !open.pointee { waiter.wait() } } })
        #expect(pool.submit { count.value.wrappingAdd(1, ordering: .relaxed) })
        #expect(!pool.submit { count.value.wrappingAdd(100, ordering: .relaxed) })
        pool.start(threads: 1, name: "test")
        gate.withLock { $0 = true }
        gate.wake()
        pool.stop()
        #expect(count.value.load(ordering: .relaxed) == 1)
        #expect(!pool.submit {})
    }

    @Test("A key's disk depends on its name only, and every disk gets its share")
    func diskOfKey() {
        let disks = { DiskTable([("a", 1), ("b", 1), ("c", 1)]) }
        var shares = [0, 0, 0]
        for number in 0..<3000 {
            let key = Array("key \(number)".utf8)
            let disk = disks().slots[SlotSet.slot(ofKey: key)]
            #expect(disk == disks().slots[SlotSet.slot(ofKey: Array("key \(number)".utf8))])
            shares[disk] += 1
        }
        #expect(shares.allSatisfy { $0 > 800 })
    }
}
