import AccessTestKit
import MessageBus
import Model
import NIOCore
import ObjectAccess
import Register
import Testing
import Wire

/// Content of a version that exists is never taken back, wherever the version stands.
@Suite struct VersionReclaimingTests {
    private let object = name("versioned")
    private let cluster = FakeStorageCluster()

    private func put(_ mode: VersioningMode, _ registers: RegisterClient) async throws -> ObjectRecord {
        let blob = BlobID.random()
        try await ChunkClient(registers).put(
            ChunkName(blob: blob, index: 0), ByteBuffer(string: "content"), owner: object)
        let record = ObjectRecord(
            version: 1, modifiedMilliseconds: 1, size: 7, etag: "\(blob)",
            blobs: [BlobReference(id: blob.bytes, size: 7, chunkSize: 1024)])
        let state = try await registers.update(object) { state in
            do {
                var versions = try KeyVersions(state)
                try versions.put(record, mode, number: 7, nowMilliseconds: 1_700_000_000_000)
                return .write(versions.stored)
            } catch {
                return .refuse(error)
            }
        }.state
        return try #require(try KeyVersions(state).current)
    }

    private func isKept(_ version: ObjectRecord, _ registers: RegisterClient) async throws -> Bool {
        let blob = try #require(BlobID(version.blobs[0].id))
        let reclaiming = ChunkReclaiming(registers)
        guard try await reclaiming.isReferenced(blob, by: object) else { return false }
        return try await reclaiming.reclaim(version.blobs, releasedBy: object).kept == 1
    }

    @Test("a predecessor is kept while it is decided, while it is archived, and after it came back")
    func kept() async throws {
        let registers = cluster.makeClient()
        let versions = ObjectVersions(ClusterRegisters(registers))
        let first = try await put(.enabled, registers)
        let second = try await put(.enabled, registers)
        #expect(try await isKept(first, registers))
        try await versions.settle(object, context: .init())
        #expect(try await isKept(first, registers))
        #expect(try await isKept(second, registers))
        try await versions.remove(second.versionId, of: object, context: .init())
        #expect(try await isKept(first, registers))
        #expect(try await !isKept(second, registers))
        try await versions.remove(first.versionId, of: object, context: .init())
        #expect(try await !isKept(first, registers))
    }

    @Test("a version that its own register releases is kept while it is the current one")
    func releasedByArchive() async throws {
        let registers = cluster.makeClient()
        let versions = ObjectVersions(ClusterRegisters(registers))
        let first = try await put(.enabled, registers)
        let second = try await put(.enabled, registers)
        try await versions.settle(object, context: .init())
        try await versions.remove(second.versionId, of: object, context: .init())
        let register = first.name.register(of: object)
        let outcome = try await ChunkReclaiming(registers).reclaim(first.blobs, releasedBy: register)
        #expect(outcome.kept == 1)
        try await versions.remove(first.versionId, of: object, context: .init())
        let after = try await ChunkReclaiming(registers).reclaim(first.blobs, releasedBy: register)
        #expect(after.kept == 0)
        #expect(after.dropped == 3)
    }

    @Test("a delete marker keeps the content of what is behind it")
    func behindMarker() async throws {
        let registers = cluster.makeClient()
        let first = try await put(.enabled, registers)
        _ = try await registers.update(object) { state in
            do {
                var versions = try KeyVersions(state)
                try versions.put(
                    ObjectRecord(version: 1, kind: .versionDeleteMarker), .enabled, number: 8, nowMilliseconds: 1)
                return .write(versions.stored)
            } catch {
                return .refuse(error)
            }
        }
        #expect(try await isKept(first, registers))
    }

    @Test("content of a null version goes when another one replaces it")
    func replacedNull() async throws {
        let registers = cluster.makeClient()
        let first = try await put(.suspended, registers)
        _ = try await put(.suspended, registers)
        #expect(try await !isKept(first, registers))
    }
}
