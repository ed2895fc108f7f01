import AccessTestKit
import Checksums
import Foundation
import Logging
import Model
import NIOCore
import ObjectAccess
import ObjectLog
import Observability
import Synchronization
import Testing
import Wire

/// Large content read from the log of a storage node, which only tells where it stands. What the nodes would send is other
/// content, so that it shows which way the bytes took.
@Suite struct ShortCircuitTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/short-circuit-\(UUID().uuidString)"
    private let chunk = ChunkName(blob: BlobID(high: 1, low: 2), index: 3)
    private let inLog = ByteBuffer(bytes: (0..<50_000).map { UInt8(truncatingIfNeeded: $0) })
    private let sent = ByteBuffer(repeating: 9, count: 50_000)

    private final class Observer: ObjectLogObserver {
        let synced = Mutex(false)
        func logSynced(_ batch: SyncedBatch) { synced.withLock { $0 = true } }
        func logFailed(_ error: ObjectLogError) {}
    }

    /// Writes the content into a log, so often. Returns its places.
    private func places(_ count: Int) async throws -> [LogPlace] {
        let configuration = ObjectLogConfiguration(node: "storage-1", segmentSize: 4 << 20)
        let log = try ObjectLog.open(try RealDirectory(folder), configuration: configuration) { _ in }.log
        let observer = Observer()
        log.start(observer: observer)
        let entry = LogEntry(type: 3, head: [1, 2, 3], payload: inLog, payloadChecksum: crc32c(inLog))
        let positions = try (0..<count).map { _ in try log.append(entry) }
        log.stop()
        #expect(observer.synced.withLock { $0 })
        return positions.map {
            LogPlace(
                directory: folder, disk: log.owner.disk.bytes, position: $0.rawValue,
                recordSize: UInt32(entry.recordSize))
        }
    }

    private func place() async throws -> LogPlace { try await places(1)[0] }

    private func cluster(_ place: LogPlace, checksum: UInt32? = nil) -> FakeStorageCluster {
        let cluster = FakeStorageCluster()
        for name in cluster.names {
            cluster.change(name) {
                $0.chunks[chunk] = sent
                $0.chunkPlaces[chunk] = (place, checksum ?? crc32c(inLog))
            }
        }
        return cluster
    }

    /// By the clock: what is read from real files takes real time.
    private func client(_ cluster: FakeStorageCluster, _ isOn: Bool = true) -> RegisterClient {
        var options = AccessOptions()
        options.shortCircuitReads = isOn
        options.slowAfter = .seconds(20)
        return RegisterClient(
            bus: cluster, cluster: cluster, writer: 1, logger: Logger(label: "test"), metrics: MetricsRegistry(),
            options: options)
    }

    private func chunks(_ cluster: FakeStorageCluster, _ isOn: Bool = true) -> ChunkClient {
        ChunkClient(client(cluster, isOn))
    }

    @Test("A chunk is read where it stands, whole or in part")
    func chunk() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let chunks = chunks(cluster(try await place()))
        #expect(try await chunks.get(chunk) == inLog)
        #expect(try await chunks.get(chunk, offset: 100, length: 50) == inLog.getSlice(at: 100, length: 50))
        #expect(try await chunks.get(chunk, offset: 49_990).readableBytes == 10)
    }

    /// The first five chunks of a blob, each with its place.
    private func clusterOfFive() async throws -> (cluster: FakeStorageCluster, names: [ChunkName]) {
        let names = (0..<5).map { ChunkName(blob: BlobID(high: 7, low: 7), index: $0) }
        let places = try await places(5)
        let cluster = FakeStorageCluster()
        for node in cluster.names {
            cluster.change(node) { node in
                for (name, place) in zip(names, places) {
                    node.chunks[name] = sent
                    node.chunkPlaces[name] = (place, crc32c(inLog))
                }
            }
        }
        return (cluster, names)
    }

    @Test("The node that is asked for one chunk tells of those that are going to be read too, and no more")
    func ahead() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (cluster, names) = try await clusterOfFive()
        let (chunks, ahead) = (chunks(cluster), PlacesAhead())
        ahead.expect(names[0].blob, end: 4)
        #expect(chunks.mayBeTold(of: names[0]))
        #expect(chunks.atHand(names[0], offset: 0, length: 100) == nil)
        #expect(try await chunks.get(names[0], ahead: ahead) == inLog)
        #expect(names.map(chunks.knowsPlace) == [true, true, true, true, false])
        for name in names[1..<4] {
            #expect(
                try await chunks.get(name, offset: 10, length: 20, ahead: ahead) == inLog.getSlice(at: 10, length: 20))
        }
        #expect(cluster.sent(.getChunk) == 1)
        #expect(try await chunks.get(names[4], ahead: ahead) == inLog)
        #expect(cluster.sent(.getChunk) == 2)
    }

    @Test("What is known and in memory is there at once, and again")
    func atHand() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (cluster, names) = try await clusterOfFive()
        let chunks = chunks(cluster)
        #expect(try await chunks.get(names[0]) == inLog)
        // In memory: it was written just now.
        for _ in 0..<2 {
            #expect(chunks.atHand(names[0], offset: 0, length: inLog.readableBytes) == inLog)
            #expect(chunks.atHand(names[0], offset: 7, length: 9) == inLog.getSlice(at: 7, length: 9))
        }
        #expect(cluster.sent(.getChunk) == 1)
    }

    @Test("A place that is outdated is as if nobody had told it, and nothing against the node that did")
    func outdated() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (cluster, names) = try await clusterOfFive()
        let (chunks, ahead) = (chunks(cluster), PlacesAhead())
        ahead.expect(names[0].blob, end: 2)
        #expect(try await chunks.get(names[0], ahead: ahead) == inLog)
        try FileManager.default.removeItem(atPath: folder)
        #expect(chunks.atHand(names[1], offset: 0, length: 10) == nil)
        #expect(chunks.knowsPlace(of: names[1]))
        for name in names[0..<2] { cluster.names.forEach { cluster.change($0) { $0.chunkPlaces[name] = nil } } }
        #expect(try await chunks.get(names[1], ahead: ahead) == sent)
        #expect(!chunks.knowsPlace(of: names[1]))
        #expect(chunks.mayBeTold(of: names[1]))
    }

    @Test("Whoever wants a chunk of a certain node gets it from that node, whatever is known")
    func ofOneNode() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (cluster, names) = try await clusterOfFive()
        let chunks = chunks(cluster)
        #expect(try await chunks.get(names[0]) == inLog)
        #expect(try await chunks.get(names[0], from: cluster.names).bytes == sent)
    }

    @Test("Who does not ask for places is sent the content")
    func off() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let chunks = chunks(cluster(try await place()), false)
        #expect(try await chunks.get(chunk) == sent)
        #expect(!chunks.mayBeTold(of: chunk))
    }

    @Test("Content beside a register is read where it stands")
    func beside() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let place = try await place()
        let cluster = FakeStorageCluster()
        let client = client(cluster)
        let blob = StagedBlob(id: chunk.blob, bytes: sent)
        _ = try await client.update(name("a"), staged: blob) { _ in .write(record("one", blob: blob.id)) }
        #expect(await eventually { cluster.names.allSatisfy { cluster.node($0).blobs.count == 1 } })
        #expect(try await client.read(name("a"), withBlob: true).blob == sent)
        for name in cluster.names { cluster.change(name) { $0.places[chunk.blob] = (place, crc32c(inLog)) } }
        #expect(try await client.read(name("a"), withBlob: true).blob == inLog)
        try FileManager.default.removeItem(atPath: folder)
        let other = self.client(cluster)
        #expect(try await other.read(name("a"), withBlob: true).blob == sent)
    }

    @Test("Other bytes than the node tells of are not served: it sends them")
    func otherChecksum() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(try await chunks(cluster(try await place(), checksum: 17)).get(chunk) == sent)
    }

    @Test("A node whose log is out of reach sends its content, and is not asked for places for a while")
    func outOfReach() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var place = try await place()
        place.directory += "/elsewhere"
        let cluster = cluster(place)
        let chunks = chunks(cluster)
        for _ in 0..<4 { #expect(try await chunks.get(chunk) == sent) }
        // Three that failed at the place, one for each node at most, and the content each time.
        #expect((5...7).contains(cluster.sent(.getChunk)))
        #expect(!chunks.mayBeTold(of: chunk))
    }

    @Test("Places that no node names are refused", arguments: ["", "data/log"])
    func impossible(directory: String) async throws {
        let place = LogPlace(directory: directory, disk: DiskID(high: 1, low: 1).bytes, position: 64, recordSize: 100)
        #expect(try await chunks(cluster(place)).get(chunk) == sent)
    }

    @Test("A device that hangs holds up no read: the content is sent")
    func hanging() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let place = try await place()
        let segment = folder + "/segment-0000000001.log"
        try FileManager.default.removeItem(atPath: segment)
        // Whoever opens it waits for a writer.
        #expect(mkfifo(segment, 0o600) == 0)
        let cluster = cluster(place)
        var options = AccessOptions()
        options.shortCircuitReads = true
        options.slowAfter = .milliseconds(20)
        let client = RegisterClient(
            bus: cluster, cluster: cluster, writer: 1, logger: Logger(label: "test"), metrics: MetricsRegistry(),
            options: options)
        for _ in 0..<6 { #expect(try await ChunkClient(client).get(chunk) == sent) }
        let end = open(segment, O_WRONLY | O_NONBLOCK)
        #expect(end >= 0)
        close(end)
    }
}
