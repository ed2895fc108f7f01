import AccessTestKit
import Model
import NIOCore
import ObjectAccess
import Register
import Testing

@Suite struct RegisterClientTests {
    struct Refusal: Error {}

    @Test("What was written is read, by another process too")
    func writeAndRead() async throws {
        let cluster = FakeStorageCluster()
        let result = try await cluster.makeClient().put("a", "one")
        #expect(result.written && result.previous == nil)
        let snapshot = try await cluster.makeClient(writer: 2).read(name("a"))
        #expect(snapshot.text == "one")
        #expect(snapshot.state == result.state)
    }

    @Test("A register that was never written is absent")
    func absent() async throws {
        let snapshot = try await FakeStorageCluster().makeClient().read(name("a"))
        #expect(snapshot.state == nil && snapshot.blob == nil)
    }

    @Test("A second writer builds on the record of the first")
    func overwrite() async throws {
        let cluster = FakeStorageCluster()
        try await cluster.makeClient(writer: 1).put("a", "one")
        let result = try await cluster.makeClient(writer: 2).put("a", "two")
        #expect(result.previous?.record == record("one"))
        #expect(result.state?.sequence == 2)
    }

    @Test("A deleted key is a tombstone; deleting it again writes nothing")
    func delete() async throws {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient()
        try await client.put("a", "one")
        #expect(try await client.delete("a").written)
        #expect(try await client.read(name("a")).liveRecord == nil)
        #expect(try await !client.delete("a").written)
    }

    @Test("A condition that fails is refused and nothing is written")
    func refusal() async throws {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient()
        try await client.put("a", "one")
        await #expect {
            try await client.update(name("a")) { $0?.isLive == true ? .refuse(Refusal()) : .write(record("two")) }
        } throws: { error in
            guard case .refused(let reason)? = error as? AccessError else { return false }
            return reason is Refusal
        }
        #expect(try await client.read(name("a")).text == "one")
    }

    @Test("One replica down: writes and reads go on, the others keep hints for it")
    func oneDown() async throws {
        let cluster = FakeStorageCluster()
        cluster.set("storage-2", .down)
        let client = cluster.makeClient()
        try await client.put("a", "one")
        #expect(try await client.read(name("a")).text == "one")
        #expect(await eventually { cluster.hints("storage-1") == ["storage-2"] })
        #expect(await eventually { cluster.hints("storage-3") == ["storage-2"] })
    }

    @Test("A replica that is silent does not delay a write and gets a hint")
    func oneSilent() async throws {
        let cluster = FakeStorageCluster()
        cluster.set("storage-3", .silent)
        let client = cluster.makeClient()
        try await client.put("a", "one")
        #expect(try await client.read(name("a")).text == "one")
        #expect(await eventually { cluster.hints("storage-1") == ["storage-3"] })
    }

    @Test("No hint is noted when all replicas acknowledged")
    func noHints() async throws {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient()
        for round in 1...5 { try await client.put("a", "\(round)") }
        #expect(await eventually { cluster.sent(.commit) == 15 })
        #expect(cluster.sent(.noteHint) == 0)
    }

    @Test("Two of three replicas down: no quorum, for writing and reading")
    func quorumLost() async throws {
        let cluster = FakeStorageCluster()
        cluster.set("storage-1", .down)
        cluster.set("storage-2", .down)
        let client = cluster.makeClient()
        await #expect(throws: AccessError.self) { try await client.put("a", "one") }
        await #expect(throws: AccessError.self) { try await client.read(name("a")) }
    }

    @Test("Full disks are told as such")
    func diskFull() async throws {
        let cluster = FakeStorageCluster()
        for node in cluster.names { cluster.change(node) { $0.refusing = .diskFull } }
        await #expect {
            try await cluster.makeClient().put("a", "one")
        } throws: { error in
            if case .diskFull? = error as? AccessError { true } else { false }
        }
    }

    @Test("A ring that is too old is fetched again")
    func staleEpoch() async throws {
        let cluster = FakeStorageCluster()
        for node in cluster.names { cluster.change(node) { $0.refusing = .staleEpoch } }
        await #expect(throws: AccessError.self) { try await cluster.makeClient().put("a", "one") }
        #expect(cluster.refreshes > 0)
    }

    @Test("After a restart of the replicas a writer jumps past their ceiling")
    func restarted() async throws {
        let cluster = FakeStorageCluster()
        try await cluster.makeClient(writer: 1).put("a", "one")
        for node in cluster.names { cluster.change(node) { $0.restart() } }
        let client = cluster.makeClient(writer: 2)
        #expect(try await client.put("a", "two").written)
        let before = cluster.sent(.stage)
        try await client.put("b", "three")
        #expect(cluster.sent(.stage) == before + 3, "one clock serves all keys: no second refusal")
    }

    @Test("Writers of one process to one key do not refuse each other")
    func queue() async throws {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<20 { group.addTask { try await client.put("a", "\(index)") } }
            try await group.waitForAll()
        }
        #expect(cluster.sent(.stage) == 60)
        #expect(try await client.read(name("a")).state?.sequence == 20)
    }

    @Test("Too many writers of one key are turned away")
    func queueIsBounded() async throws {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient { $0.waitersPerKeyMax = 2 }
        let overloaded = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<50 {
                group.addTask {
                    do { try await client.put("a", "\(index)") } catch AccessError.overloaded { return true } catch {}
                    return false
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(overloaded > 0 && overloaded < 50)
    }

    @Test(
        "Competing writers of several processes all succeed, each exactly once", arguments: 1...4 as ClosedRange<UInt64>
    )
    func competition(seed: UInt64) async throws {
        let cluster = FakeStorageCluster(seed: seed)
        let written = await withTaskGroup(of: Int.self) { group in
            for writer in 1...4 as ClosedRange<UInt64> {
                let client = cluster.makeClient(writer: writer)
                group.addTask {
                    var count = 0
                    for _ in 0..<5 where (try? await client.put("a", "x"))?.written == true { count += 1 }
                    return count
                }
            }
            return await group.reduce(0, +)
        }
        let sequence = try await cluster.makeClient(writer: 9).read(name("a")).state?.sequence ?? 0
        #expect(Int(sequence) >= written && sequence <= 20)
        #expect(written > 10)
    }

    @Test("With lost messages every acknowledged write is counted once", arguments: 1...4 as ClosedRange<UInt64>)
    func loss(seed: UInt64) async throws {
        let cluster = FakeStorageCluster(seed: seed)
        cluster.lose(perMille: 50)
        let client = cluster.makeClient { $0.operationTimeout = .seconds(60) }
        var acknowledged = 0
        var unknown = 0
        for index in 0..<20 {
            do {
                try await client.put("a", "\(index)")
                acknowledged += 1
            } catch AccessError.outcomeUnknown { unknown += 1 } catch {}
        }
        cluster.lose(perMille: 0)
        let sequence = Int(try await client.read(name("a")).state?.sequence ?? 0)
        #expect(sequence >= acknowledged && sequence <= acknowledged + unknown)
    }

    // MARK: - Ring changes

    private static let sets: [[NodeName]] = [
        ["storage-1", "storage-2", "storage-3"], ["storage-2", "storage-3", "storage-4"],
    ]

    @Test("Reads and writes go on while a partition moves, without an error")
    func movingPartition() async throws {
        let cluster = FakeStorageCluster(nodes: 4)
        cluster.install(cluster.moved(from: Self.sets[0]))
        let (client, other) = (cluster.makeClient(), cluster.makeClient(writer: 2))
        try await client.put("a", "one")
        cluster.install(cluster.moved(from: Self.sets[0], to: Self.sets[1]))
        #expect(try await other.read(name("a")).text == "one")
        try await client.put("a", "two")
        cluster.install(cluster.moved(from: Self.sets[1]))
        #expect(try await other.read(name("a")).text == "two")
        try await client.put("a", "three")
        #expect(try await other.read(name("a")).text == "three")
    }

    @Test("A write whose commit meets the change of the ring succeeds, once")
    func changeBetweenStageAndCommit() async throws {
        let cluster = FakeStorageCluster(nodes: 4)
        let client = cluster.makeClient()
        cluster.install(cluster.moved(from: Self.sets[0]))
        try await client.put("a", "one")
        let result = try await client.update(name("a")) { current in
            if cluster.view.epoch == 2 { cluster.install(cluster.moved(from: Self.sets[0], to: Self.sets[1])) }
            return .write(record("two after \(current?.sequence ?? 0)"))
        }
        #expect(result.written && result.state?.sequence == 2)
        #expect(cluster.view.epoch == 3)
        #expect(try await client.read(name("a")).text == "two after 1")
    }
}
