import ClusterState
import Logging
import MessageBus
import Model
import NIOCore
import Ring
import Testing
import Wire

@testable import Manager

@Suite("whereis")
struct WhereisTests {
    /// Storage nodes that answer READ from a dictionary.
    private struct Nodes: RequestSending {
        var states: [NodeName: StoredState?]

        func send(
            _ type: MessageType, body: [UInt8], payload: [ByteBuffer], to peer: NodeName, timeout: Duration,
            context: MessageContext, completion: @escaping @Sendable (Result<BusReply, BusError>) -> Void
        ) {
            guard let state = states[peer] else { return completion(.failure(BusError(.unreachable, "down"))) }
            completion(.success(BusReply(body: ByteBuffer(bytes: ReadReply(state: state).encoded()), sender: peer)))
        }
    }

    private func cluster() async throws -> Fixture {
        let fixture = try await Fixture()
        let key = try await fixture.run("create-user", "alice", as: CreatedUserReport.self).accessKeyId
        try await fixture.run("add-bucket", "photos", key)
        try await fixture.attach(3)
        try await fixture.run("start", as: StartReport.self)
        return fixture
    }

    @Test("Rows for what replicas have and lack, and the nodes that do not answer")
    func rows() async throws {
        let view = try await cluster().view
        let object = ObjectRecord(
            version: 1, modifiedMilliseconds: 1_575_535_012_000, size: 5_000_000, etag: "d41d8cd98f00b204",
            blobs: [BlobReference(id: [1], size: 5_000_000, chunkSize: 1 << 20)])
        let state = StoredState(tag: BallotNumber(counter: 31, writer: 3), sequence: 1, record: object.encoded())
        let report = try await Whereis(
            bus: Nodes(states: ["storage-1": state, "storage-2": nil as StoredState?]), view: view
        ).run(path: "photos/a/b.jpg")
        #expect(Set(report.assignedInfo.map(\.node)) == ["storage-1", "storage-2"])
        #expect(report.failureNodes.map(\.node) == ["storage-3"])
        let row = try #require(report.assignedInfo.first { $0.present })
        #expect(row.node == "storage-1" && row.size == 5_000_000 && row.checksum == "d41d8cd98f" && row.del == false)
        #expect(row.totalChunks == 5 && row.hasChildren == true && row.clock == "1f.3")
        #expect(row.when == "2019-12-05 08:36:52 +0000" && row.ringAddress?.count == 32)
    }

    @Test("The ring address begins with the partition's bits")
    func address() async throws {
        let view = try await cluster().view
        let ring = try #require(view.ring)
        let bucket = try #require(view.buckets["photos"]?.bucketID)
        for number in 0..<20 {
            let name = Model.RegisterName(bucket: bucket, key: Array("key-\(number)".utf8))
            let digits = Whereis.address(name, ring)
            #expect(UInt64(digits.prefix(1), radix: 16) == UInt64(ring.partition(of: name)), "16 partitions: one digit")
        }
    }

    @Test("Paths that name nothing are refused", arguments: ["", "photos", "photos/", "/key", "films/a"])
    func paths(path: String) async throws {
        let view = try await cluster().view
        await #expect(throws: VerbError.self) { try await Whereis(bus: Nodes(states: [:]), view: view).run(path: path) }
    }
}
