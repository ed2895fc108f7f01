import Checksums
import NIOCore
import S3Protocol
import Synchronization

/// Where content comes from: the body of a request, or an object that is copied.
protocol ContentSource: Sendable {
    /// The next `count` bytes in one piece, fewer at the end; nil at the verified end. One task asks.
    func read(_ count: Int) async throws -> ByteBuffer?
}

extension RequestBody: ContentSource {}

/// Stored content as it is read: ahead of whoever takes it.
protocol ContentReading: ContentSource {
    /// Starts reading and waits for the first piece, so that what is missing is found before the answer begins.
    func prepare() async throws
    /// The next piece as it comes; nil at the end. One task asks.
    func next() async throws -> ByteBuffer?
}

/// Hashes what passes: the entity tag of a copy, and its checksum.
final class HashingSource: ContentSource {
    private let source: any ContentSource
    private let hasher = Checksums.Hasher(.md5)
    private let computation: Mutex<ChecksumComputation?>

    init(_ source: any ContentSource, checksum: ChecksumAlgorithm? = nil) {
        self.source = source
        computation = Mutex(checksum.map { ChecksumComputation($0) })
    }

    func read(_ count: Int) async throws -> ByteBuffer? {
        guard let bytes = try await source.read(count) else { return nil }
        hasher.update(bytes)
        computation.withLock { $0?.update(bytes) }
        return bytes
    }

    /// After the end.
    func md5() -> [UInt8] { hasher.finish() }

    /// After the end; nil: none was asked for.
    func checksum() -> (ChecksumAlgorithm, [UInt8])? {
        computation.withLock { computation in computation.map { ($0.algorithm, $0.finish()) } }
    }
}
