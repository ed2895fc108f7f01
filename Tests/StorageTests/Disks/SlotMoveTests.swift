import MetadataIndex
import Model
import ObjectLog
import Register
import Synchronization
import Testing
import Threads

@testable import Storage

@Suite struct SlotMoveTests {
    @Test("A disk that is added takes its share of slots, with everything in them, and the others drop it")
    func adding() throws {
        let node = try NodeFixture(disks: 2)
        var content = NodeContent()
        try content.write(to: node, keys: 300)
        try content.verify(on: node)
        try node.engine.addDisk(node.disk(3), weight: node.engine.set.table.disks[0].weight)
        try node.moveAll()
        #expect(Set(node.owners) == [0, 1, 2])
        #expect(node.owners.count { $0 == 2 } == 85)
        try content.verify(on: node)
        #expect(node.engine.set.table.remnants.isEmpty)
        try onlyOwnEntries(node)
        // Above all that any disk may have promised.
        try content.write(to: node, keys: 50, from: 1 << 30)
        for losingIndexes in [false, true] {
            try node.crash(.dropped, losingIndexes: losingIndexes)
            try node.moveAll()
            try content.verify(on: node)
            try onlyOwnEntries(node)
        }
    }

    /// No index has entries of slots that another disk owns.
    private func onlyOwnEntries(_ node: NodeFixture) throws {
        for disk in node.engine.slots {
            guard case .success(let replica) = disk.replica else { continue }
            let own = SlotSet(node.engine.set.table.slots(of: disk.number))
            try replica.index.registers().visit { name, _ in
                #expect(own.contains(SlotSet.slot(ofKey: name.indexKey)))
                return true
            }
            try replica.index.chunks().visit { chunk in
                #expect(own.contains(SlotSet.slot(ofKey: chunk.ringKey)))
                return true
            }
        }
    }

    @Test("A drained disk ends empty and retired, its hints go on, and it is gone when the configuration forgets it")
    func draining() throws {
        let node = try NodeFixture(disks: 2)
        var content = NodeContent()
        try content.write(to: node, keys: 200)
        try Pending.of { node.engine.noteHints([[1, 2, 3], [4]], $0) }
        let before = try node.engine.hints(after: 0, limit: 10)
        #expect(before.map(\.hint) == [[1, 2, 3], [4]])
        try node.engine.drainDisk(node.disk(1))
        #expect(node.engine.state(of: node.engine.slots[0]) == .draining)
        try node.moveAll()
        #expect(node.engine.state(of: node.engine.slots[0]) == .retired)
        #expect(Set(node.owners) == [1])
        try content.verify(on: node)
        let hints = try node.engine.hints(after: 0, limit: 10)
        #expect(hints.map(\.hint) == [[1, 2, 3], [4]])
        try Pending.of { node.engine.forgetHints(hints.map(\.id) + before.map(\.id), $0) }
        #expect(node.engine.hintCount == 0)
        node.stop()
        node.wipe(1)
        try node.open()
        #expect(node.engine.slots.count == 2)
        try content.verify(on: node)
    }

    @Test("A drain that is cancelled brings everything back")
    func cancelledDrain() throws {
        let node = try NodeFixture(disks: 2)
        var content = NodeContent()
        try content.write(to: node, keys: 100)
        let before = node.owners
        try node.engine.drainDisk(node.disk(1))
        for _ in 0..<3 { #expect(try node.engine.mover.step()) }
        #expect(node.owners != before)
        try node.engine.cancelDrain(node.disk(1))
        try node.moveAll()
        #expect(node.owners.count { $0 == 0 } == before.count { $0 == 0 })
        try content.verify(on: node)
        try onlyOwnEntries(node)
    }

    @Test("What the source has promised, the target does not accept")
    func promises() throws {
        let node = try NodeFixture(disks: 2)
        for number in 0..<50 {
            let staged = try Pending<StageResult>.of { node.engine.stage(name("key \(number)"), ballot(5000), $0) }
            #expect(staged.promised)
        }
        try node.engine.drainDisk(node.disk(2))
        try node.moveAll()
        for restarts in [false, true] {
            if restarts { try node.crash(.dropped, losingIndexes: false) }
            for number in 0..<50 {
                let late = try Pending<CommitResult>.of {
                    node.engine.commit(name("key \(number)"), .sample(4999), $0)
                }
                #expect(late.outcome == .refused)
            }
        }
    }

    /// Whose files the crash interrupts.
    enum Victim: CaseIterable, Sendable {
        case source, target, table

        var disk: Int? {
            switch self {
            case .source: 1
            case .target: 2
            case .table: nil
            }
        }
    }

    /// Operations of a move that change something on any disk: where a crash may come.
    private static let crashPoints = 26

    @Test(
        "After a crash at any operation of a move each slot has one owner and nothing is lost",
        arguments: Victim.allCases)
    func crashes(_ victim: Victim) throws {
        let original = try NodeFixture(disks: 2)
        var content = NodeContent()
        try content.write(to: original, keys: 40)
        for number in 0..<20 {
            #expect(
                try Pending<StageResult>.of { original.engine.stage(name("promised \(number)"), ballot(9000), $0) }
                    .promised)
        }
        try original.engine.drainDisk(original.disk(1))
        original.stop()
        var survived = 0
        for operation in 1...Self.crashPoints {
            for loss in [SimulatedDirectory.Loss.dropped, Bool.random() ? .kept : .torn] {
                let node = try NodeFixture(copyOf: original)
                node.files(victim.disk).crash(after: operation)
                var isDone = false
                do { isDone = try !node.engine.mover.step() } catch {}
                if !isDone { survived += 1 }
                try node.crash(loss, losingIndexes: Bool.random())
                #expect(node.engine.slots.allSatisfy { (try? $0.replica.get()) != nil || $0.number == 0 })
                try content.verify(on: node)
                try node.moveAll()
                #expect(Set(node.owners) == [1])
                try content.verify(on: node)
                try onlyOwnEntries(node)
                for number in 0..<20 {
                    let late = try Pending<CommitResult>.of {
                        node.engine.commit(name("promised \(number)"), .sample(8999), $0)
                    }
                    #expect(late.outcome == .refused)
                }
            }
        }
        #expect(survived > 0)
    }

    @Test("Requests go on while slots move back and forth: none fails, no value goes back")
    func underLoad() throws {
        let node = try NodeFixture(disks: 2)
        let engine = node.engine
        let isDone = Atomic(false)
        let failures = Mutex<[String]>([])
        let writes = Atomic(0)
        let threads = (0..<4).map { number in
            BlockingThread(name: "writer") {
                var generator = SystemRandomNumberGenerator()
                var latest: [Int: UInt64] = [:]
                var counter: UInt64 = 1
                while !isDone.load(ordering: .relaxed) {
                    let key = Int.random(in: 0..<100, using: &generator) * 4 + number
                    do {
                        let read = try Pending<ReadResult>.of { engine.read(name("key \(key)"), $0) }
                        if (read.state?.tag.counter ?? 0) != latest[key] ?? 0 {
                            failures.withLock { $0.append("key \(key): \(read), expected \(latest[key] ?? 0)") }
                        }
                        counter = max(counter, read.counter) + 1
                        let staged = try Pending<StageResult>.of {
                            engine.stage(name("key \(key)"), ballot(counter), $0)
                        }
                        guard staged.promised else {
                            counter = max(counter, staged.counter)
                            continue
                        }
                        let written = try Pending<CommitResult>.of {
                            engine.commit(name("key \(key)"), .sample(counter), $0)
                        }
                        if written.outcome == .accepted { latest[key] = counter }
                        counter = max(counter, written.counter)
                        writes.add(1, ordering: .relaxed)
                    } catch { failures.withLock { $0.append("\(error)") } }
                }
            }
        }
        for _ in 0..<3 {
            try engine.drainDisk(node.disk(1))
            for _ in 0..<8 { _ = try engine.mover.step() }
            try engine.cancelDrain(node.disk(1))
            while try engine.mover.step() {}
        }
        isDone.store(true, ordering: .relaxed)
        for thread in threads { thread.join() }
        #expect(failures.withLock { $0 } == [])
        #expect(writes.load(ordering: .relaxed) > 0)
    }
}
