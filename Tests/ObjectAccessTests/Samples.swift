import AccessTestKit
import Model
import NIOCore
import ObjectAccess
import Register

let bucket = BucketID(high: 7, low: 7)

func name(_ key: String) -> RegisterName { RegisterName(bucket: bucket, key: Array(key.utf8)) }

func record(_ text: String, blob: BlobID? = nil) -> StoredRecord {
    StoredRecord(bytes: Array(text.utf8), summary: Array("summary of \(text)".utf8), blobs: blob.map { [$0] } ?? [])
}

extension RegisterSnapshot {
    var text: String? { liveRecord.map { String(decoding: $0.bytes, as: UTF8.self) } }
}

extension RegisterClient {
    @discardableResult
    func put(_ key: String, _ text: String) async throws -> UpdateResult {
        try await update(name(key)) { _ in .write(record(text)) }
    }

    @discardableResult
    func put(_ key: String, _ text: String, content: String) async throws -> UpdateResult {
        let blob = StagedBlob(id: .random(), bytes: ByteBuffer(string: content))
        return try await update(name(key), staged: blob) { _ in .write(record(text, blob: blob.id)) }
    }

    @discardableResult
    func delete(_ key: String) async throws -> UpdateResult {
        try await update(name(key), deleting: true) { state in
            state?.isLive == true ? .write(.tombstone) : .keep
        }
    }
}

extension FakeStorageCluster {
    /// Installs a state at some nodes, as a write does that reached only them.
    func plant(_ key: String, _ state: RegisterState<StoredRecord>, at nodes: [NodeName]) {
        for node in nodes { change(node) { $0.registers[name(key)] = state } }
    }

    /// The states of a key, by node.
    func states(_ key: String) -> [RegisterState<StoredRecord>?] { names.map { node($0).registers[name(key)] } }

    func hints(_ node: NodeName) -> [String] { self.node(node).hints.values.map(\.missed).sorted() }
}

func state(_ text: String?, counter: UInt64, sequence: UInt64 = 1) -> RegisterState<StoredRecord> {
    RegisterState(
        tag: Ballot(counter: counter, writer: 9), sequence: sequence, recentOperations: [],
        record: text.map { record($0) } ?? .tombstone)
}
