import Checksums
import NIOCore
import S3Protocol
import Synchronization
import Testing

@testable import Gateway

@Suite struct RequestBodyTests {
    /// Gives its pieces one after the other.
    private final class Pieces: BodySource {
        private let pieces: Mutex<[ByteBuffer]>

        init(_ pieces: [ByteBuffer]) { self.pieces = Mutex(pieces) }

        func next() async throws(S3Error) -> ByteBuffer? { pieces.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
    }

    private func body(_ sizes: [Int], declared: UInt64?) -> (RequestBody, [UInt8]) {
        var all: [UInt8] = []
        var pieces: [ByteBuffer] = []
        for size in sizes {
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ all.count) }
            pieces.append(ByteBuffer(bytes: bytes))
            all += bytes
        }
        var plan = BodyPlan(declaredLength: declared)
        plan.computesMD5 = true
        return (RequestBody(plan, source: Pieces(pieces), budget: nil), all)
    }

    @Test("however it arrives, a body is read in pieces of the size asked for")
    func pieces() async throws {
        var random = SystemRandomNumberGenerator()
        for round in 0..<100 {
            let sizes = (0..<Int.random(in: 0...20, using: &random)).map { _ in Int.random(in: 1...50, using: &random) }
            let length = sizes.reduce(0, +)
            let (body, all) = body(sizes, declared: round.isMultiple(of: 2) ? UInt64(length) : nil)
            let count = Int.random(in: 1...70, using: &random)
            var read: [UInt8] = []
            var last = count
            while let piece = try await body.read(count) {
                #expect(last == count, "only the last piece may be shorter")
                last = piece.readableBytes
                read += piece.readableBytesView
            }
            #expect(read == all)
            #expect(body.digests.md5 == HashAlgorithm.md5.hash(all))
        }
    }

    @Test("a large body is refused at its end unless its SHA-256 is what was signed", arguments: [true, false])
    func largeDigest(isRight: Bool) async throws {
        let piece = ByteBuffer(repeating: 5, count: 100_000)
        let signed = HashAlgorithm.sha256.hash([UInt8](repeating: 5, count: 5_000_000))
        var plan = BodyPlan(declaredLength: 5_000_000)
        plan.computesMD5 = true
        plan.sha256 = isRight ? signed : signed.reversed()
        let body = RequestBody(plan, source: Pieces(.init(repeating: piece, count: 50)), budget: nil)
        var size = 0
        do {
            while let bytes = try await body.read(1 << 20) { size += bytes.readableBytes }
            #expect(isRight && size == 5_000_000)
            #expect(body.digests.md5 == HashAlgorithm.md5.hash([UInt8](repeating: 5, count: 5_000_000)))
        } catch {
            #expect(!isRight && error.code == .xAmzContentSHA256Mismatch)
        }
    }

    @Test("a piece takes no more memory than its size")
    func memory() async throws {
        let (body, all) = body([1000] + [Int](repeating: 700, count: 30), declared: 22_000)
        var read: [UInt8] = []
        while let piece = try await body.read(4096) {
            #expect(piece.storageCapacity <= 4096)
            read += piece.readableBytesView
        }
        #expect(read == all)
    }

    @Test("a body of another length than declared is incomplete, however often it is asked")
    func length() async throws {
        for declared: UInt64 in [9, 11] {
            let (body, _) = body([5, 5], declared: declared)
            await #expect(throws: S3Error(.incompleteBody)) { while try await body.read(4) != nil {} }
            await #expect(throws: S3Error(.incompleteBody)) { try await body.next() }
            #expect(body.digests == RequestBody.Digests())
        }
    }

    @Test("documents are collected up to their limit")
    func collect() async throws {
        #expect(try await body([5, 5], declared: 10).0.collect(upTo: 10).readableBytes == 10)
        #expect(try await body([], declared: 0).0.collect(upTo: 10).readableBytes == 0)
        for declared: UInt64? in [11, nil] {
            await #expect(throws: S3Error(.maxMessageLengthExceeded)) {
                try await body([5, 6], declared: declared).0.collect(upTo: 10)
            }
        }
    }
}
