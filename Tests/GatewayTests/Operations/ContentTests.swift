import Logging
import MessageBus
import Model
import NIOCore
import ObjectAccess
import Observability
import S3Protocol
import Synchronization
import Testing
import Wire

@testable import Gateway

@Suite struct ContentTests {
    private let small = BlobReference(id: BlobID(high: 1, low: 1).bytes, size: 10, chunkSize: 0)
    private let large = BlobReference(id: BlobID(high: 2, low: 2).bytes, size: 25, chunkSize: 10)
    private let owner = Gateway.RegisterName(bucket: BucketID(high: 3, low: 3), key: [1])

    private func pieces(_ blobs: [BlobReference], _ range: Range<UInt64>) -> [ContentPiece] {
        Array(ContentPieces(of: blobs, range: range))
    }

    private func chunk(_ index: UInt32, _ offset: Int, _ length: Int) -> ContentPiece {
        .chunk(ChunkName(blob: BlobID(high: 2, low: 2), index: index), offset: offset, length: length)
    }

    @Test("a range is cut at the borders of chunks and blobs")
    func cuts() {
        #expect(pieces([small], 2..<7) == [.beside(offset: 2, length: 5)])
        #expect(pieces([large], 0..<25) == [chunk(0, 0, 10), chunk(1, 0, 10), chunk(2, 0, 5)])
        #expect(pieces([large], 9..<21) == [chunk(0, 9, 1), chunk(1, 0, 10), chunk(2, 0, 1)])
        #expect(pieces([large, large], 24..<26) == [chunk(2, 4, 1), chunk(0, 0, 1)])
        #expect(pieces([large], 5..<5) == [])
        #expect(pieces([], 0..<5) == [])
    }

    @Test("every range of several blobs is covered by adjoining pieces")
    func coverage() {
        for lower in 0..<50 {
            for upper in lower...50 {
                let lengths = pieces([large, large], UInt64(lower)..<UInt64(upper)).map { piece in
                    switch piece {
                    case .chunk(_, _, let length), .beside(_, let length): length
                    }
                }
                #expect(lengths.reduce(0, +) == upper - lower)
                #expect(lengths.allSatisfy { (1...10).contains($0) })
            }
        }
    }

    /// Breaks off, or goes on, after some chunks.
    private final class Source: ContentSource {
        let sizes: Mutex<[Int]>
        let error: S3Error?

        init(_ sizes: [Int], then error: S3Error? = nil) {
            self.sizes = Mutex(sizes)
            self.error = error
        }

        func read(_ count: Int) async throws -> ByteBuffer? {
            guard let size = sizes.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else {
                if let error { throw error }
                return nil
            }
            return ByteBuffer(bytes: pattern(size))
        }
    }

    private func writer(_ storage: MemoryStorage) -> ContentWriter {
        let abandoned = AbandonedContent(
            storage: storage, logger: Logger(label: "test"), metrics: MetricsRegistry())
        return ContentWriter(
            storage: storage, abandoned: abandoned, owner: owner, deadline: .now + .seconds(60), now: { .now },
            context: MessageContext())
    }

    private func write(_ source: Source, expected: UInt64? = nil, sizeMax: UInt64 = 1 << 30) async throws
        -> (WrittenContent, MemoryStorage)
    {
        let storage = MemoryStorage()
        let writer = writer(storage)
        return (
            try await writer.write(source, expected: expected, sizeMax: sizeMax, besideRegister: true), storage
        )
    }

    @Test("small content travels with the register, larger content is stored before")
    func places() async throws {
        let mebibyte = Limits.chunkSize
        let (none, _) = try await write(Source([]))
        #expect(none.blob == nil)
        let (staged, first) = try await write(Source([mebibyte]))
        #expect(staged.staged?.bytes.readableBytes == mebibyte)
        #expect(first.contents.withLock { $0.chunks.isEmpty })
        for expected in [nil, UInt64(mebibyte + 1)] {
            let (chunked, second) = try await write(Source([mebibyte, 1]), expected: expected)
            #expect(chunked.staged == nil)
            #expect(chunked.size == UInt64(mebibyte + 1))
            #expect(second.contents.withLock { $0.chunks.count } == 2)
        }
    }

    @Test("a body that breaks off is an error, whatever was stored of it")
    func broken() async {
        let error = S3Error(.incompleteBody)
        for sizes in [[], [10], [Limits.chunkSize, Limits.chunkSize, 10]] {
            await #expect(throws: error) { try await self.write(Source(sizes, then: error)) }
        }
    }

    @Test("content over the limit is refused, whether or not its size was told")
    func limit() async {
        let sizes = [Limits.chunkSize, Limits.chunkSize]
        for expected in [nil, UInt64(2 * Limits.chunkSize)] {
            do {
                _ = try await write(Source(sizes), expected: expected, sizeMax: UInt64(Limits.chunkSize) + 1)
                Issue.record("accepted")
            } catch { #expect((error as? S3Error)?.code == .entityTooLarge) }
        }
    }

    @Test("a stream reads in pieces of any size, and no more than its window ahead")
    func stream() async throws {
        let storage = MemoryStorage()
        let writer = writer(storage)
        let content = try await writer.write(
            Source([Limits.chunkSize, Limits.chunkSize, Limits.chunkSize, 77]), expected: nil, besideRegister: true)
        let blob = try #require(content.blob)
        let stream = ContentStream(
            storage, [blob], range: 5..<content.size, beside: nil, context: MessageContext())
        var sizes: [Int] = []
        while let bytes = try await stream.read(700_000) { sizes.append(bytes.readableBytes) }
        #expect(sizes.dropLast().allSatisfy { $0 == 700_000 })
        #expect(sizes.reduce(0, +) == 3 * Limits.chunkSize + 72)
    }

    /// Reads 40 chunks of 10 bytes; which were got and which were at hand.
    private func read(
        _ storage: MemoryStorage = MemoryStorage(), _ change: (inout MemoryStorage.Contents) -> Void
    ) async throws -> (got: [UInt32], atHand: [UInt32]) {
        let id = BlobID(high: 1, low: 1)
        let blob = BlobReference(id: id.bytes, size: 395, chunkSize: 10)
        storage.contents.withLock { contents in
            for index in 0..<40 {
                contents.chunks[ChunkName(blob: id, index: UInt32(index))] = ByteBuffer(
                    repeating: UInt8(index), count: 10)
            }
            change(&contents)
        }
        let stream = ContentStream(storage, [blob], range: 15..<395, beside: nil, context: MessageContext())
        try await stream.prepare()
        var read: [UInt8] = []
        while let piece = try await stream.next() { read += Array(piece.readableBytesView) }
        #expect(read == (15..<395).map { UInt8($0 / 10) })
        return storage.contents.withLock { ($0.got.sorted(), $0.hadAtHand) }
    }

    @Test("a stream fetches one piece and takes those that are told of along from memory")
    func atHand() async throws {
        let (got, atHand) = try await read { $0.tells = true }
        #expect(got == [1, 17, 33])
        #expect(atHand == (2..<40).filter { !got.contains($0) })
    }

    @Test("what was read before is taken from memory, the first piece too")
    func again() async throws {
        let storage = MemoryStorage()
        _ = try await read(storage) { $0.tells = true }
        let (got, atHand) = try await read(storage) { ($0.got, $0.hadAtHand) = ([], []) }
        #expect(got.isEmpty)
        #expect(atHand == Array(1..<40))
    }

    @Test("a piece that is not in memory has the next ones fetched ahead")
    func cold() async throws {
        let (got, atHand) = try await read {
            $0.tells = true
            $0.cold = [5]
        }
        #expect(got == [1] + Array(5..<21) + [36])
        #expect(atHand == (2..<40).filter { !got.contains($0) })
    }

    @Test("where nothing is told, all pieces are fetched")
    func untold() async throws {
        #expect(try await read { _ in }.got == Array(1..<40))
    }
}
