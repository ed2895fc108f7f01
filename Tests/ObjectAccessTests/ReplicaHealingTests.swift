import AccessTestKit
import Model
import NIOCore
import Register
import Testing
import Wire

@testable import ObjectAccess

@Suite struct ReplicaHealingTests: RegisterSamples {
    @Test(
        "A register that is written while a forgetful replica is taught keeps its own content there", arguments: 1...40)
    func overwrittenMeanwhile(seed: UInt64) async throws {
        let cluster = FakeStorageCluster(seed: seed)
        let client = cluster.makeClient()
        try await put(client, "k", "old content")
        let old = try await client.read(name("k"), withBlob: true)
        let new = try await put(client, "k", "new content")
        #expect(await eventually { cluster.names.allSatisfy { cluster.node($0).blobs[new] != nil } })
        // It knows neither, and what was decided below its fence is too old for it.
        cluster.change("storage-3") {
            $0.loseMemory(of: [name("k")])
            $0.blobs = [:]
        }
        let doubts = try await cluster.request(
            .fetchDoubts, FetchDoubtsRequest(), to: "storage-3", timeout: .seconds(1), answer: FetchDoubtsReply.self
        ).message.doubts
        _ = try await cluster.request(
            .fence, FenceRequest(counter: 1000, note: false, doubts: doubts), to: "storage-3", timeout: .seconds(1),
            answer: FenceReply.self)
        try await ReplicaHealing(client).teach(name("k"), #require(old.state), blob: old.blob, to: "storage-3")
        #expect(await eventually { cluster.node("storage-3").blobs[new] != nil })
        #expect(cluster.node("storage-3").blobs[new] == ByteBuffer(string: "new content"))
    }
}
