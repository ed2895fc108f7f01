import NIOCore
import S3Protocol
import Signatures

/// The body of a request: decoded, hashed as it passes, verified at its end.
///
/// One task reads it. Bytes that were read must not be made visible before the end was reached: only then are length,
/// digests and signatures known to be right.
public final class RequestBody: @unchecked Sendable {
    /// What is known after the verified end.
    public struct Digests: Sendable, Equatable {
        /// Present for PutObject and UploadPart, and when the client sent `Content-MD5`.
        public var md5: [UInt8]?
        /// Checksums that the client gave in headers or in the trailer: `crc32`, `crc32c`, `crc64nvme`, `sha1`, `sha256`.
        public var checksums: [String: [UInt8]]

        public init(md5: [UInt8]? = nil, checksums: [String: [UInt8]] = [:]) {
            self.md5 = md5
            self.checksums = checksums
        }
    }

    /// Memory that one body may hold: a chunk that is being collected, two on their way to the replicas, and what hashing is
    /// behind by.
    static let memoryPerBody = 4 << 20

    /// Number of bytes after decoding; nil when the client does not say (chunked transfer).
    public let declaredLength: UInt64?

    // The rest is touched by the one task that reads, and by nobody after `close()`.
    private let source: any BodySource
    private let hashes: BodyHashes
    private let budget: MemoryBudget?
    private let admitted: AdmittedRequest?
    private var decoder: ChunkedDecoder?
    private var reserved: Int?
    private var received: UInt64 = 0
    private var outcome: Result<Digests, S3Error>?
    /// Read from the source and not yet taken by ``read(_:)``.
    private var remainder: ByteBuffer?

    init(_ plan: BodyPlan, source: any BodySource, budget: MemoryBudget?, admitted: AdmittedRequest? = nil) {
        declaredLength = plan.declaredLength
        self.source = admitted?.timing(source) ?? source
        self.admitted = admitted
        self.budget = budget
        decoder = plan.decoder
        hashes = BodyHashes(plan)
    }

    /// A body that is at hand, as PutObject would see it: for tests of handlers.
    public convenience init(bytes: ByteBuffer) {
        var plan = BodyPlan(declaredLength: UInt64(bytes.readableBytes))
        plan.computesMD5 = true
        self.init(plan, source: BytesSource(bytes), budget: nil)
    }

    /// The next bytes; nil at the verified end. Throws ``S3Error``: `BadDigest`, `IncompleteBody`, `SignatureDoesNotMatch`…
    public func next() async throws(S3Error) -> ByteBuffer? {
        if let bytes = remainder {
            remainder = nil
            return bytes
        }
        switch outcome {
        case .success: return nil
        case .failure(let error): throw error
        case nil: break
        }
        do throws(S3Error) {
            try await reserveMemory()
            if let bytes = try await nextDecoded() {
                received += UInt64(bytes.readableBytes)
                hashes.update(bytes)
                if hashes.isBehind { await hashes.wait() }
                return bytes
            }
            guard declaredLength == nil || declaredLength == received else { throw S3Error(.incompleteBody) }
            outcome = .success(try await hashes.verify(trailers: decoder?.trailers ?? []))
            return nil
        } catch {
            outcome = .failure(error)
            throw error
        }
    }

    /// The next `count` bytes in one piece, fewer at the end; nil at the verified end.
    public func read(_ count: Int) async throws(S3Error) -> ByteBuffer? {
        guard var collected = try await next() else { return nil }
        if collected.readableBytes < count, let declaredLength, declaredLength > received {
            // One allocation instead of a growing one.
            var whole = ByteBufferAllocator().buffer(capacity: Int(min(UInt64(count), declaredLength)))
            whole.writeBuffer(&collected)
            collected = whole
        }
        while collected.readableBytes < count, var more = try await next() {
            // Never beyond what was allocated: growing would copy, and double.
            var fitting = more.readSlice(length: min(more.readableBytes, count - collected.readableBytes))!
            collected.writeBuffer(&fitting)
            if more.readableBytes > 0 { remainder = more }
        }
        guard collected.readableBytes > count else { return collected }
        let piece = collected.readSlice(length: count)
        remainder = collected
        return piece
    }

    /// The whole body; `MaxMessageLengthExceeded` when it is longer than `limit`.
    public func collect(upTo limit: Int) async throws(S3Error) -> ByteBuffer {
        if let declaredLength, declaredLength > UInt64(limit) { throw S3Error(.maxMessageLengthExceeded) }
        guard var collected = try await next() else { return ByteBuffer() }
        while var more = try await next() {
            guard collected.readableBytes + more.readableBytes <= limit else {
                throw S3Error(.maxMessageLengthExceeded)
            }
            collected.writeBuffer(&more)
        }
        guard collected.readableBytes <= limit else { throw S3Error(.maxMessageLengthExceeded) }
        return collected
    }

    /// Valid after ``next()`` or ``read(_:)`` has returned nil, or ``collect(upTo:)`` has returned.
    public var digests: Digests {
        if case .success(let digests) = outcome { digests } else { Digests() }
    }

    /// Gives the memory back. No more reading.
    func close() {
        if let reserved { budget?.release(reserved) }
        reserved = nil
    }

    private func reserveMemory() async throws(S3Error) {
        guard reserved == nil, let budget, declaredLength != 0 else { return }
        let bytes = Int(min(declaredLength ?? UInt64(Self.memoryPerBody), UInt64(Self.memoryPerBody)))
        guard let admitted else { return reserved = try await budget.reserve(bytes) }
        reserved = try await admitted.whileWaiting { () async throws(S3Error) in try await budget.reserve(bytes) }
    }

    private func nextDecoded() async throws(S3Error) -> ByteBuffer? {
        guard decoder != nil else { return try await source.next() }
        while true {
            switch try decoder!.next() {
            case .data(let bytes): return bytes
            case .needsMore, .end:
                guard let raw = try await source.next() else {
                    try decoder!.finish()
                    return nil
                }
                decoder!.append(raw)
            }
        }
    }
}
