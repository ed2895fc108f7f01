import Checksums
import ClusterState
import Model
import NIOCore
import NIOHTTP1
import S3Protocol
import Testing
import Wire

@testable import Gateway

@Suite struct EncryptedObjectTests {
    private static let key = [UInt8](0..<32)

    private static func customer(_ key: [UInt8]) -> HTTPHeaders {
        let prefix = "x-amz-server-side-encryption-customer-"
        return [
            prefix + "algorithm": "AES256", prefix + "key": Base64.encode(key),
            prefix + "key-MD5": Base64.encode(HashAlgorithm.md5.hash(key)),
        ]
    }

    private static let modes: [(name: String, put: HTTPHeaders, get: HTTPHeaders)] = [
        ("SSE-S3", ["x-amz-server-side-encryption": "AES256"], [:]),
        ("SSE-KMS", ["x-amz-server-side-encryption": "aws:kms"], [:]),
        ("SSE-C", customer(key), customer(key)),
    ]

    @Test("content of every size comes back, and what is stored does not show it")
    func roundTrip() async throws {
        let gateway = try await TestGateway.withBucket()
        for mode in Self.modes {
            for size in [0, 1, 65_519, 65_520, 65_521, 16 * 65_520, 16 * 65_520 + 1, 2_500_000] {
                let content = pattern(size, seed: size)
                let put = await gateway.put("a", content, headers: mode.put)
                #expect(put.status == 200, "\(mode.name) \(size)")
                let answer = await gateway.get("a", headers: mode.get)
                #expect(answer.status == 200 && answer.body == content, "\(mode.name) \(size)")
                #expect(answer.etag == put.etag)
                guard size > 64 else { continue }
                let stored = gateway.storage.contents.withLock { Array($0.blobs.values) + Array($0.chunks.values) }
                let needle = Array(content[..<32])
                #expect(!stored.contains { $0.readableBytesView.firstRange(of: needle) != nil })
            }
        }
    }

    @Test("ranges of large and small content")
    func ranges() async throws {
        let gateway = try await TestGateway.withBucket()
        for size in [200_000, 2_500_000] {
            let content = pattern(size)
            await gateway.put("a", content, headers: Self.modes[0].put)
            for range in [0..<1, 65_519..<65_521, 65_520..<131_040, 1000..<199_000, (size - 1)..<size] {
                let header = "bytes=\(range.lowerBound)-\(range.upperBound - 1)"
                let answer = await gateway.get("a", headers: ["Range": header])
                #expect(answer.status == 206 && answer.body == Array(content[range]), "\(header) of \(size)")
            }
        }
    }

    @Test("stored bytes that were changed are never sent", arguments: [1000, 2_500_000])
    func tampering(_ size: Int) async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("a", pattern(size), headers: Self.modes[0].put)
        gateway.storage.contents.withLock { contents in
            func change(_ bytes: inout ByteBuffer) {
                let index = bytes.writerIndex - 100
                bytes.setInteger(bytes.getInteger(at: index, as: UInt8.self)! ^ 1, at: index)
            }
            for id in contents.blobs.keys { change(&contents.blobs[id]!) }
            for name in contents.chunks.keys where name.index == 0 { change(&contents.chunks[name]!) }
        }
        let answer = await gateway.get("a")
        #expect(answer.broken || answer.status == 500)
        #expect(answer.body.count < size || answer.status == 500)
    }

    @Test("a client's key is needed, and no other will do")
    func customerKeys() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("a", headers: Self.customer(Self.key))
        #expect(await gateway.get("a").code == "InvalidRequest")
        #expect(await gateway.get("a", headers: Self.customer(Self.key.reversed())).code == "AccessDenied")
        await gateway.put("b")
        #expect(await gateway.get("b", headers: Self.customer(Self.key)).code == "InvalidRequest")
        let record = try #require(
            gateway.storage.contents.withLock { contents in
                contents.registers.first { $0.key.key == Array("a".utf8) }?.value.record
            })
        let bytes = try ObjectRecord(stored: record).encoded()
        #expect(bytes.firstRange(of: Self.key) == nil)
    }

    @Test("the same content is stored differently each time")
    func freshKeys() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("a", headers: Self.modes[0].put)
        await gateway.put("b", headers: Self.modes[0].put)
        let stored = gateway.storage.contents.withLock { Array($0.blobs.values) }
        #expect(stored.count == 2 && stored[0] != stored[1])
    }

    @Test("without a master key nothing pretends to be encrypted")
    func noMasterKey() async throws {
        let cluster = MemoryCluster()
        let keys = EncryptionKeys(master: nil, cluster: cluster, refresh: SharedRefresh(cluster: cluster))
        await #expect(throws: S3Error.self) { try await keys.make(.sseS3) }
        await #expect(throws: S3Error.self) {
            try await keys.make(.sseKMS(key: nil, context: "", bucketKey: false))
        }
        let customer = try #require(try CustomerKey(Self.customer(Self.key)))
        #expect(try await keys.make(.customer(customer)).dataKey.count == 32)
    }

    @Test(
        "a key, or a version of it, that was made a moment ago is found by asking the manager; one that is known is not asked for"
    )
    func newKeys() async throws {
        let (cluster, other, master) = (MemoryCluster(), MemoryCluster(), MasterKey.random())
        func keys(_ cluster: MemoryCluster) -> EncryptionKeys {
            EncryptionKeys(
                master: master, cluster: cluster, refresh: SharedRefresh(cluster: cluster, interval: .zero))
        }
        let wish = EncryptionWish.sseKMS(key: "k", context: "", bucketKey: false)
        let unknown = await #expect(throws: S3Error.self) { try await keys(cluster).make(wish) }
        #expect(unknown?.code == .kmsNotFound)
        func version(_ number: UInt32) -> EncryptionKeyVersion {
            EncryptionKeyVersion(number: number, sealedKey: master.seal([UInt8](repeating: 7, count: 32)))
        }
        var key = EncryptionKeyRecord(name: "k", versions: [version(1)])
        for each in [cluster, other] { each.put(key) }
        #expect(try await keys(cluster).make(wish).record.keyVersion == 1)
        _ = try await keys(other).make(wish)
        key.versions.append(version(2))
        for each in [cluster, other] { each.put(key) }
        try await cluster.refresh()
        let made = try await keys(cluster).make(wish)
        let before = other.refreshes
        #expect(made.record.keyVersion == 2)
        #expect(try await keys(other).open(made.record, nil)?.dataKey == made.dataKey)
        #expect(try await keys(other).open(made.record, nil)?.dataKey == made.dataKey)
        #expect(other.refreshes == before + 1)
        cluster.setUnreachable(true)
        let nobodyKnows = await #expect(throws: S3Error.self) {
            try await keys(cluster).make(.sseKMS(key: "other", context: "", bucketKey: false))
        }
        #expect(nobodyKnows?.code == .serviceUnavailable)
    }

    @Test(
        "names of keys",
        arguments: [
            ("k", "k"), ("alias/k", "k"), ("arn:aws:kms:eu:1:key/k", "k"), ("arn:aws:kms:eu:1:alias/k", "k"),
            ("alias/aws/s3", nil), ("aws/s3", nil),
        ] as [(String, String?)])
    func keyNames(_ id: String, _ name: String?) { #expect(EncryptionWish.keyName(id) == name) }
}
