import MetadataIndex
import Model
import ObjectLog
import Testing

@testable import Storage

@Suite struct DiskLifecycleTests {
    private func state(_ node: NodeFixture, _ number: Int) -> DiskSlot.State {
        node.engine.state(of: node.engine.slots.first { $0.path == node.disk(number) }!)
    }

    private func isOn(_ number: Int, _ key: String, _ node: NodeFixture) -> Bool {
        let owner = node.owners[SlotSet.slot(ofKey: name(key).indexKey)]
        return node.engine.set.table.disk(owner)?.path == node.disk(number)
    }

    /// Status of a read: nil when it was answered.
    private func refusal(_ key: String, _ node: NodeFixture) -> StorageError? {
        do {
            _ = try node.read(key)
            return nil
        } catch { return error as? StorageError }
    }

    @Test("A disk that cannot be opened takes out its own keys only, and serves again when it can be opened")
    func comesBack() throws {
        let node = try NodeFixture(disks: 2)
        var content = NodeContent()
        try content.write(to: node, keys: 40)
        node.stop()
        let lost = node.take(2)
        try node.open()
        #expect(state(node, 2) == .failed)
        #expect(node.engine.slots[1].reason?.contains("its log is gone") == true)
        for key in content.keys.keys {
            let refused = refusal(key, node)
            if isOn(2, key, node) { #expect(refused?.status == .unavailable) } else { #expect(refused == nil) }
        }
        #expect(throws: StorageError.self) { try node.engine.list(IndexQuery(bucket: name("").bucket, limit: 9)) }
        node.give(lost, 2)
        try node.engine.upkeep.reopen(node.engine.slots[1])
        #expect(state(node, 2) == .running)
        try content.verify(on: node)
    }

    @Test("An index that turns out to be damaged is rebuilt from the log while the other disks serve")
    func damagedIndex() throws {
        let node = try NodeFixture(disks: 2)
        var content = NodeContent()
        try content.write(to: node, keys: 40)
        try node.engine.slots[0].replica.get().note(IndexError("Corruption: test"))
        node.engine.upkeep.check()
        node.engine.upkeep.settle()
        #expect(state(node, 1) == .running)
        #expect(try !node.engine.slots[0].replica.get().isIndexDamaged)
        try content.verify(on: node)
        try content.write(to: node, keys: 10, from: 1 << 30)
        try content.verify(on: node)
    }

    @Test("A disk whose sync failed is not opened again")
    func failedSync() throws {
        let node = try NodeFixture(disks: 2)
        var content = NodeContent()
        try content.write(to: node, keys: 40)
        node.files(1).failSyncs()
        let key = try #require((0..<100).map { "new \($0)" }.first { isOn(1, $0, node) })
        #expect(throws: StorageError.self) { try node.put(key, 500) }
        node.engine.upkeep.check()
        node.engine.upkeep.settle()
        #expect(state(node, 1) == .readOnly)
        try content.verify(on: node)
        // What it has can still be read, so it can be emptied.
        try node.engine.drainDisk(node.disk(1))
        try node.moveAll()
        #expect(state(node, 1) == .retired)
        try content.verify(on: node)
        try node.put(key, 1 << 30)
    }

    @Test("An empty disk in the place of a lost one does not vote for its slots, the others are not touched")
    func replaced() throws {
        let node = try NodeFixture(disks: 2)
        var content = NodeContent()
        try content.write(to: node, keys: 40)
        #expect(throws: StorageError.self) { try node.engine.replaceDisk(node.disk(2)) }
        node.stop()
        node.wipe(2)
        try node.open()
        let before = node.owners
        try node.engine.replaceDisk(node.disk(2))
        for restarts in [false, true] {
            if restarts { try node.crash(.dropped, losingIndexes: true) }
            #expect(state(node, 2) == .running)
            #expect(node.owners == before)
            for key in Array(content.keys.keys) + ["never written 1", "never written 2", "never written 3"] {
                let refused = refusal(key, node)
                if isOn(2, key, node) { #expect(refused?.status == .abstained) } else { #expect(refused == nil) }
            }
            for number in content.chunks {
                let chunk = NodeFixture.chunk(number)
                let isLost = node.owners[SlotSet.slot(ofKey: chunk.name.ringKey)] == 1
                if isLost {
                    #expect(throws: StorageError.self) { try node.engine.chunk(chunk.name) }
                } else {
                    #expect(try node.engine.chunk(chunk.name).content == chunk.content)
                }
            }
        }
        // A late message of before the loss changes nothing.
        let key = try #require(content.keys.first { isOn(2, $0.key, node) })
        #expect(throws: StorageError.self) { try node.put(key.key, key.value) }
        try node.engine.trustDisk(node.disk(2))
        #expect(refusal(key.key, node) == nil)
    }

    @Test("A disk that is given up leaves its slots to the others, who do not vote for them")
    func removed() throws {
        let node = try NodeFixture(disks: 3)
        var content = NodeContent()
        try content.write(to: node, keys: 60)
        #expect(throws: StorageError.self) { try node.engine.removeLostDisk(node.disk(3)) }
        let lost = Set(content.keys.keys.filter { isOn(3, $0, node) })
        #expect(!lost.isEmpty)
        node.stop()
        node.wipe(3)
        try node.open()
        let before = node.owners
        try node.engine.removeLostDisk(node.disk(3))
        node.configure(disks: 2)
        for restarts in [false, true] {
            if restarts { try node.crash(.dropped, losingIndexes: true) }
            #expect(node.engine.slots.count == 2)
            #expect(zip(before, node.owners).allSatisfy { $0 == 2 || $0 == $1 })
            for key in content.keys.keys {
                let refused = refusal(key, node)
                if lost.contains(key) { #expect(refused?.status == .abstained) } else { #expect(refused == nil) }
            }
        }
        // Doubt goes along when slots move.
        let path = node.disk(4)
        try node.engine.addDisk(path, weight: node.engine.set.table.disks[0].weight * 10)
        try node.moveAll()
        for key in content.keys.keys {
            let refused = refusal(key, node)
            if lost.contains(key) { #expect(refused?.status == .abstained) } else { #expect(refused == nil) }
        }
    }

    @Test("New entries of storage.disks become disks, one that is left out goes on, one with a log is refused")
    func configuration() throws {
        let node = try NodeFixture(disks: 2)
        var content = NodeContent()
        try content.write(to: node, keys: 40)
        node.stop()
        node.configure(disks: 3)
        try node.open()
        try node.moveAll()
        #expect(Set(node.owners) == [0, 1, 2])
        try content.verify(on: node)
        node.stop()
        node.configure(disks: 2)
        try node.open()
        #expect(state(node, 3) == .running)
        try content.verify(on: node)
        let other = try NodeFixture(disks: 1)
        other.stop()
        node.stop()
        node.give(other.take(1), 4)
        node.configure(disks: 4)
        #expect(throws: StorageError.self) { try node.open() }
        node.configure(disks: 3)
        try node.open()
        try content.verify(on: node)
    }

    @Test("Without disks.json the logs of a node are not taken for new ones")
    func lostTable() throws {
        let node = try NodeFixture(disks: 2)
        var content = NodeContent()
        try content.write(to: node, keys: 10)
        node.stop()
        let table = node.take(nil)
        do {
            try node.open()
            Issue.record("the node started")
        } catch { #expect("\(error)".contains("disks.json does not know it")) }
        node.give(table, nil)
        try node.open()
        try content.verify(on: node)
    }

    @Test("Two disks that were swapped are noticed")
    func swapped() throws {
        let node = try NodeFixture(disks: 3)
        node.stop()
        let (first, second) = (node.take(1), node.take(2))
        node.give(first, 2)
        node.give(second, 1)
        try node.open()
        #expect([1, 2, 3].map { state(node, $0) } == [.failed, .failed, .running])
        #expect(node.engine.slots[0].reason?.contains("it has the log of disk") == true)
    }

    @Test("A directory in use by another process is an error at the start, of another node too")
    func somebodyElses() throws {
        let node = try NodeFixture(disks: 2)
        node.stop()
        #expect(node.files(2).lock())
        #expect(throws: ObjectLogError.locked("simulated")) { try node.open() }
        node.files(2).unlock()
        try node.open()
        #expect(state(node, 2) == .running)
    }
}
