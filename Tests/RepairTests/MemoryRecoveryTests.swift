import AccessTestKit
import Logging
import Model
import NIOCore
import ObjectAccess
import Observability
import Register
import Testing
import Wire

@testable import Repair

@Suite struct MemoryRecoveryTests: RegisterSamples {
    func recovery(_ cluster: FakeStorageCluster) -> MemoryRecovery {
        MemoryRecovery(
            registers: cluster.makeClient(writer: 70), bus: cluster, cluster: cluster,
            concurrency: 3, metrics: MemoryMetrics(MetricsRegistry()),
            logger: Logger(label: "test"))
    }

    /// Thirty objects on every replica.
    func filledCluster(nodes: Int = 3, _ level: ConsistencyLevel = .majority(of: 3)) async throws -> FakeStorageCluster
    {
        let cluster = FakeStorageCluster(nodes: nodes, consistency: level)
        let client = cluster.makeClient()
        for index in 0..<30 { try await put(client, "k\(index)", "content \(index)") }
        let copies = 30 * level.replicas
        #expect(
            await eventually {
                cluster.names.reduce(0) { $0 + cluster.node($1).registers.count } == copies
            })
        return cluster
    }

    func content(_ client: RegisterClient, _ key: String) async throws -> String? {
        try await client.read(name(key)).liveRecord.map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    @Test("When every node remembers everything, that costs one message each")
    func quiet() async throws {
        let cluster = try await filledCluster()
        let recovery = recovery(cluster)
        await recovery.round()
        #expect(recovery.status == MemoryRecoveryStatus())
        #expect(cluster.sent(.fetchDoubts) == 3 && cluster.sent(.fence) == 0)
    }

    @Test("A wiped replica gets everything back and votes again")
    func wiped() async throws {
        let cluster = try await filledCluster()
        let names = Set((0..<30).map { name("k\($0)") })
        let chunk = ChunkName(blob: BlobID(high: 2, low: 2), index: 1)
        for node in cluster.names { cluster.change(node) { $0.chunks[chunk] = ByteBuffer(string: "c") } }
        cluster.change("storage-2") {
            $0.loseMemory(of: names, chunks: [chunk])
            $0.blobs = [:]
        }
        let recovery = recovery(cluster)
        await recovery.round()
        let disk = try #require(recovery.status.disks.first)
        #expect(disk.state == .trusted && disk.registersTaught == 30 && disk.chunksTaught == 1 && disk.passes == 2)
        #expect(recovery.status.recovered == 1)
        #expect(!cluster.node("storage-2").isInDoubt)
        #expect(cluster.node("storage-2").chunks[chunk] != nil)
        // Another one goes: every object is decided and read with the vote of the healed one.
        cluster.set("storage-1", .down)
        let client = cluster.makeClient(writer: 2)
        for index in 0..<30 { #expect(try await content(client, "k\(index)") == "content \(index)") }
        for index in 0..<30 { try await put(client, "k\(index)", "newer") }
    }

    @Test("What was lost is not undone: newer states of the others win over what the forgetful one has left")
    func older() async throws {
        let cluster = try await filledCluster()
        let before = cluster.node("storage-3").registers
        try await put(cluster.makeClient(writer: 3), "k1", "newer")
        _ = try await cluster.makeClient(writer: 4).update(name("k2"), deleting: true) { _ in .write(.tombstone) }
        #expect(await eventually { cluster.node("storage-3").registers[name("k2")]?.isLive == false })
        cluster.change("storage-3") {
            $0.loseMemory(of: [name("k3")])
            for key in ["k1", "k2"] { $0.registers[name(key)] = before[name(key)] }
        }
        await recovery(cluster).round()
        #expect(!cluster.node("storage-3").isInDoubt)
        cluster.set("storage-1", .down)
        let client = cluster.makeClient(writer: 5)
        #expect(try await content(client, "k1") == "newer")
        #expect(try await content(client, "k2") == nil)
        #expect(try await content(client, "k3") == "content 3")
    }

    @Test("What only the forgetful replica has was never decided, and does not come to life")
    func onlyThere() async throws {
        let cluster = try await filledCluster()
        let half = RegisterState(
            tag: Ballot(counter: 4, writer: 1), sequence: 1, recentOperations: [],
            record: StoredRecord(bytes: [1, 2, 3]))
        cluster.change("storage-1") {
            $0.registers[name("half")] = half
            $0.loseMemory(of: [])
        }
        await recovery(cluster).round()
        #expect(!cluster.node("storage-1").isInDoubt)
        #expect(try await content(cluster.makeClient(writer: 6), "half") == nil)
        let states = cluster.names.map { cluster.node($0).registers[name("half")] }
        #expect(states.allSatisfy { $0 == states[0] && $0?.isLive == false })
    }

    @Test("Every other node is fenced above all that can be forgotten before anything is taught")
    func fenced() async throws {
        let cluster = try await filledCluster()
        cluster.change("storage-2") { $0.loseMemory(of: [name("k1")]) }
        let recovery = recovery(cluster)
        await recovery.round()
        let bound = try #require(recovery.status.disks.first).bound
        #expect(bound >= 1 << 40)
        for node in ["storage-1", "storage-3"] as [NodeName] {
            cluster.change(node) { $0.restart() }
            #expect(cluster.node(node).registers.values.allSatisfy { $0.tag.counter > bound })
        }
        #expect(cluster.sent(.fence) == 6)
    }

    @Test("With a node out of reach nothing is done, and it is said; the next look heals")
    func unreachable() async throws {
        let cluster = try await filledCluster()
        cluster.change("storage-2") { $0.loseMemory(of: [name("k1")]) }
        cluster.set("storage-3", .down)
        let recovery = recovery(cluster)
        await recovery.round()
        let disk = try #require(recovery.status.disks.first)
        #expect(disk.state == .waiting && disk.reason.contains("storage-3"))
        #expect(cluster.node("storage-2").isInDoubt && cluster.sent(.fence) == 0)
        cluster.set("storage-3", .up)
        await recovery.round()
        #expect(!cluster.node("storage-2").isInDoubt)
    }

    @Test("Two of three that have forgotten are not believed: both stay in doubt")
    func twoOfThree() async throws {
        let cluster = try await filledCluster()
        for node in ["storage-1", "storage-2"] as [NodeName] { cluster.change(node) { $0.loseMemory(of: []) } }
        let recovery = recovery(cluster)
        await recovery.round()
        #expect(recovery.status.disks.count == 2)
        #expect(recovery.status.disks.allSatisfy { $0.state == .waiting && $0.reason.contains("too few") })
        #expect(cluster.node("storage-1").isInDoubt && cluster.node("storage-2").isInDoubt)
        #expect(cluster.sent(.fence) == 0)
    }

    @Test("Two of five are healed by the three that remember")
    func twoOfFive() async throws {
        let cluster = try await filledCluster(nodes: 5, .majority(of: 5))
        for node in ["storage-1", "storage-4"] as [NodeName] {
            cluster.change(node) { $0.loseMemory(of: [name("k1"), name("k2")]) }
        }
        let recovery = recovery(cluster)
        await recovery.round()
        #expect(recovery.status.recovered == 2)
        #expect(cluster.names.allSatisfy { !cluster.node($0).isInDoubt && cluster.node($0).registers.count == 30 })
    }

    @Test("The other one of two replicas is enough when both must take every write; where one is enough, nobody is")
    func twoReplicas() async throws {
        for (write, isHealed) in [(2, true), (1, false)] {
            let level = ConsistencyLevel(replicas: 2, write: write, read: 2, delete: write)!
            let cluster = try await filledCluster(nodes: 2, level)
            cluster.change("storage-2") { $0.loseMemory(of: [name("k1")]) }
            await recovery(cluster).round()
            #expect(cluster.node("storage-2").isInDoubt != isHealed)
        }
    }

    @Test("After a failure it begins again, with the same bound, and skips what was taught")
    func repeated() async throws {
        let cluster = try await filledCluster()
        cluster.change("storage-2") { $0.loseMemory(of: Set((0..<30).map { name("k\($0)") })) }
        // The content of one object is nowhere: it cannot be taught.
        let blob = try #require(cluster.node("storage-1").registers[name("k7")]?.record?.blobs.first)
        var bytes: ByteBuffer?
        for node in cluster.names {
            cluster.change(node) {
                bytes = $0.blobs.removeValue(forKey: blob) ?? bytes
                // A copy that came late is still staged.
                $0.restart()
            }
        }
        let recovery = recovery(cluster)
        await recovery.round()
        let failed = try #require(recovery.status.disks.first)
        #expect(failed.state == .failed && !recovery.status.lastError.isEmpty && cluster.node("storage-2").isInDoubt)
        let found = bytes
        cluster.change("storage-1") { $0.blobs[blob] = found }
        cluster.change("storage-2") { $0.restart() }
        await recovery.round()
        let healed = try #require(recovery.status.disks.first)
        #expect(healed.state == .trusted && healed.bound == failed.bound && healed.registersTaught < 30)
    }

    @Test("Clients that write meanwhile over a bad network lose nothing")
    func underWrites() async throws {
        let cluster = try await filledCluster()
        cluster.change("storage-2") { $0.loseMemory(of: Set((0..<30).map { name("k\($0)") })) }
        cluster.lose(perMille: 5)
        let recovery = recovery(cluster)
        async let healing: Void = {
            for _ in 0..<20 where cluster.node("storage-2").isInDoubt { await recovery.round() }
        }()
        let client = cluster.makeClient(writer: 9)
        var written: [String: String] = [:]
        for index in 0..<60 {
            let key = "k\(index % 40)"
            if (try? await put(client, key, "w\(index)")) != nil {
                written[key] = "w\(index)"
            } else {
                written[key] = nil
            }
        }
        await healing
        cluster.lose(perMille: 0)
        for _ in 0..<5 where cluster.node("storage-2").isInDoubt { await recovery.round() }
        #expect(!cluster.node("storage-2").isInDoubt)
        cluster.set("storage-3", .down)
        for (key, value) in written { #expect(try await content(client, key) == value) }
    }
}
