import Model
import NIOCore
import Testing
import Wire

@Suite struct WireMessageTests {
    static let commit = CommitRequest(
        name: Wire.RegisterName(bucket: Array(0..<16), keyspace: 2, key: Array("naïve/鍵".utf8)),
        state: StoredState(
            tag: BallotNumber(counter: .max, writer: 7), sequence: 1 << 40,
            recentOperations: [[1], [], Array(repeating: 9, count: 16)], record: Array(repeating: 3, count: 10_000),
            deleted: true, summary: [0, 255], blobs: [[5]]),
        blob: [1, 2, 3], blobCrc32c: .max, missed: ["storage-1", "", "storage-2"])

    @Test("messages with nested messages, lists, bytes with zeros and large fields survive the trip")
    func roundTrip() throws {
        #expect(try CommitRequest(decoding: Self.commit.encoded()) == Self.commit)
        let envelope = Envelope(
            protocolVersion: 1, type: .commit, reply: true, correlationId: .max, sender: "gateway-1", epoch: 5,
            timeoutMilliseconds: .max, traceparent: "00-ab-cd-01", status: .staleEpoch, errorMessage: "grüße",
            sequence: 3, requestId: "R")
        #expect(try Envelope(decoding: envelope.encoded()) == envelope)
        let ring = RingRecord(
            epoch: 3, nodes: ["a", "b"],
            partitions: (0..<1024).map { PartitionAssignment(current: [0, 1], next: [UInt32($0)], epoch: 2) })
        #expect(try RingRecord(decoding: ring.encoded()) == ring)
        let entry = StateEntry(key: "users/é", value: [], deleted: true, revision: 9)
        #expect(
            try FetchStateReply(decoding: FetchStateReply(revision: 1, entries: [entry]).encoded()).entries == [entry])
    }

    @Test("an empty message has no bytes, and no bytes are an empty message")
    func empty() throws {
        #expect(PingRequest().encoded().isEmpty)
        #expect(try CommitRequest(decoding: [UInt8]()) == CommitRequest())
        #expect(try CommitRequest(decoding: ByteBuffer()) == CommitRequest())
    }

    @Test("encoding into a buffer appends the same bytes")
    func intoBuffer() throws {
        var buffer = ByteBuffer(string: "head")
        let count = Self.commit.encode(into: &buffer)
        #expect(buffer.readString(length: 4) == "head")
        #expect(buffer.readableBytes == count)
        #expect(Array(buffer.readableBytesView) == Self.commit.encoded())
        #expect(try CommitRequest(decoding: buffer) == Self.commit)
    }

    @Test("a field that this version does not know is skipped")
    func unknownField() throws {
        let unknown: [UInt8] = [0xfa, 0x3f, 2, 1, 1]  // field 1023, two bytes
        #expect(try BallotNumber(decoding: BallotNumber(counter: 1, writer: 2).encoded() + unknown).writer == 2)
    }

    @Test("text with a zero byte inside ends there instead of breaking the message")
    func zeroInText() throws {
        let decoded = try StateEntry(decoding: StateEntry(key: "a\0b", revision: 4).encoded())
        #expect(decoded.key == "a")
        #expect(decoded.revision == 4)
    }

    @Test("every truncation is refused or decodes, and never crashes")
    func truncated() {
        let bytes = Self.commit.encoded()
        for count in 0..<min(bytes.count, 200) { _ = try? CommitRequest(decoding: Array(bytes.prefix(count))) }
        #expect(throws: MalformedMessage.self) { try CommitRequest(decoding: Array(bytes.prefix(20))) }
    }

    @Test("random and mutated bytes never crash")
    func random() {
        var generator = SeededGenerator(seed: 1)
        let good = Self.commit.encoded()
        for round in 0..<20_000 {
            var bytes =
                round % 2 == 0
                ? (0..<Int.random(in: 0..<64, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
                : Array(good.prefix(120))
            for _ in 0..<3 where !bytes.isEmpty {
                bytes[Int.random(in: bytes.indices, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            _ = try? CommitRequest(decoding: bytes)
            _ = try? Envelope(decoding: bytes)
            _ = try? FetchStateReply(decoding: bytes)
            _ = try? RingRecord(decoding: bytes)
        }
    }

    @Test("a message that would take far more memory than its bytes is refused")
    func arenaLimit() {
        // Every entry is two bytes on the wire and a structure of dozens of bytes in memory.
        let bomb = [[UInt8]](repeating: [0x1a, 0], count: 2_000_000).flatMap { $0 }
        #expect(throws: MalformedMessage.self) { try FetchStateReply(decoding: bomb, memoryLimit: 1 << 20) }
        #expect(throws: Never.self) { try FetchStateReply(decoding: Array(bomb.prefix(200)), memoryLimit: 1 << 20) }
    }
}

@Suite struct ArenaTests {
    @Test("allocations are aligned, apart from each other and bounded")
    func allocations() throws {
        let arena = Arena(limit: 100_000)
        var last: UnsafeMutableRawPointer?
        for size in [1, 16, 17, 5000, 0, 3] {
            let memory = try #require(arena.allocate(bytes: size))
            #expect(Int(bitPattern: memory) % 16 == 0)
            if size > 0 { #expect(memory != last) }
            memset(memory, 0xff, size)
            last = memory
        }
        #expect(arena.allocate(bytes: 200_000) == nil)
        #expect(arena.allocate(bytes: -1) == nil)
        #expect(arena.allocate(bytes: .max) == nil)
    }
}

private func memset(_ memory: UnsafeMutableRawPointer, _ byte: UInt8, _ count: Int) {
    memory.initializeMemory(as: UInt8.self, repeating: byte, count: count)
}

/// xorshift64*: the same numbers on every run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_f491_4f6c_dd1d
    }
}
