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

    /// Writes the content into a log. Returns its place.
    private func place() async throws -> LogPlace {
        let configuration = ObjectLogConfiguration(node: "storage-1", segmentSize: 4 << 20)
        let log = try ObjectLog.open(try RealDirectory(folder), configuration: configuration) { _ in }.log
        let observer = Observer()
        log.start(observer: observer)
        defer { log.stop() }
        let entry = LogEntry(type: 3, head: [1, 2, 3], payload: inLog, payloadChecksum: crc32c(inLog))
        let position = try log.append(entry)
        #expect(await eventually { observer.synced.withLock { $0 } })
        return LogPlace(
            directory: folder, disk: log.owner.disk.bytes, position: position.rawValue,
            recordSize: UInt32(entry.recordSize))
    }

    private func cluster(_ place: LogPlace, checksum: UInt32? = nil) -> FakeStorageCluster {
        let cluster = FakeStorageCluster()
        for name in cluster.names {
            cluster.change(name) {
                $0.chunks[chunk] = sent
                $0.places[chunk.blob] = (place, checksum ?? crc32c(inLog))
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

    @Test("Who does not ask for places is sent the content")
    func off() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(try await chunks(cluster(try await place()), false).get(chunk) == sent)
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
