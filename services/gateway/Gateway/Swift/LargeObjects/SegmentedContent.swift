import Checksums
import MessageBus
import Model
import NIOCore
import ObjectAccess
import S3Protocol
import Wire

/// Large objects of Swift: what they are made of, and their bytes.
///
/// A static large object (SLO) stores the list of its segments as content; a dynamic one (DLO) is all objects of a container
/// that begin with a prefix, as they are when it is read. Both fronts read large objects through this.
struct SegmentedContent: Sendable {
    let s3: S3Operations
    let context: MessageContext
    /// Of the account that the segments are in.
    let project: String
    /// Throws unless whoever reads may read this object too; the record is nil when only the container is known.
    let authorize: @Sendable (BucketRecord, _ key: [UInt8], ObjectRecord?) throws -> Void

    /// Manifests in manifests.
    static let depthMax = 10
    /// Objects of one dynamic large object.
    static let dynamicMax = 100_000
    static let manifestBytesMax = 8 << 20

    // MARK: - What there is

    /// The list that is the object's content.
    func manifest(of object: ObjectRecord, beside blob: ByteBuffer?) async throws -> SegmentManifest {
        // Stored in another form than it came in, with what was found out about the segments.
        guard object.manifestSize <= 2 * UInt64(Self.manifestBytesMax) else {
            throw AccessError.damaged("a manifest's size")
        }
        let stream = try s3.content(
            of: object, try await s3.encryptionKeys.open(object.encryption, nil), range: 0..<object.manifestSize,
            beside: blob, context: context)
        var bytes: [UInt8] = []
        while let piece = try await stream.next() { bytes += piece.readableBytesView }
        guard bytes.count == Int(object.manifestSize), let manifest = try? SegmentManifest(decoding: bytes) else {
            throw AccessError.damaged("a manifest cannot be read")
        }
        return manifest
    }

    /// The manifest that a segment is; nil when it has gone or is none any more.
    func manifest(of segment: ManifestSegment) async throws -> SegmentManifest? {
        guard let (object, blob) = try await find(segment), object.manifestSize > 0 else { return nil }
        return try await manifest(of: object, beside: blob)
    }

    /// The objects that a dynamic large object stands for now, in the order of their names.
    ///
    /// - Parameter manifest: container and prefix.
    func dynamicSegments(_ manifest: String) async throws -> [ManifestSegment] {
        let slash = manifest.firstIndex(of: "/") ?? manifest.endIndex
        let container = String(manifest[..<slash])
        guard let bucket = await s3.buckets.container(container, project: project), let id = bucket.bucketID else {
            return []
        }
        let prefix = Array(manifest[slash...].dropFirst().utf8)
        try authorize(bucket, prefix, nil)
        var segments: [ManifestSegment] = []
        var query = ListQuery(bucket: id, prefix: prefix, limit: ListingQuery.limitMax)
        while true {
            let page = try await s3.storage.list(query, context: context)
            for case .key(let key, let bytes, _) in page.entries {
                let summary = try ListingSummary(decoding: bytes)
                guard summary.size > 0 else { continue }
                segments.append(
                    ManifestSegment(
                        container: container, object: String(decoding: key, as: UTF8.self), etag: summary.etag,
                        size: summary.size, first: 0, count: summary.size, nested: summary.manifest))
            }
            guard segments.count <= Self.dynamicMax else {
                throw SwiftError(409, "A dynamic large object has at most \(Self.dynamicMax) segments")
            }
            guard page.truncated, let next = page.next else { return segments }
            query.after = next
        }
    }

    // MARK: - Bytes

    /// The bytes of a range, one segment after the other.
    func source(
        _ segments: [ManifestSegment], range: Range<UInt64>, depth: Int = 1
    ) throws(SwiftError) -> any ContentReading {
        guard depth <= Self.depthMax else { throw SwiftError(409, "Max recursion depth of \(Self.depthMax) reached") }
        let pieces = ManifestSegment.pieces(of: segments, range)
        return SegmentSource(pieces) { segment, range in try await self.open(segment, range, depth) }
    }

    private func open(
        _ segment: ManifestSegment, _ range: Range<UInt64>, _ depth: Int
    ) async throws -> any ContentReading {
        if segment.container.isEmpty {
            guard range.upperBound <= UInt64(segment.data.count) else { throw AccessError.damaged("inline data") }
            return BytesContent(ByteBuffer(bytes: segment.data[Int(range.lowerBound)..<Int(range.upperBound)]))
        }
        // A segment that has gone, or is another one now, ends the answer: it must not be taken for the whole.
        guard let (object, blob) = try await find(segment), object.etag == segment.etag, object.size == segment.size
        else { throw SwiftError(409) }
        if object.manifestSize > 0 {
            return try source(try await manifest(of: object, beside: blob).segments, range: range, depth: depth + 1)
        }
        return try s3.content(
            of: object, try await s3.encryptionKeys.open(object.encryption, nil), range: range, beside: blob,
            context: context)
    }

    private func find(_ segment: ManifestSegment) async throws -> (ObjectRecord, ByteBuffer?)? {
        guard let bucket = await s3.buckets.container(segment.container, project: project), let id = bucket.bucketID
        else { return nil }
        let name = RegisterName(bucket: id, key: Array(segment.object.utf8))
        let snapshot = try await s3.storage.read(name, withBlob: true, context: context)
        let object = try ObjectRecord(snapshot)
        try authorize(bucket, name.key, object)
        guard let object, !object.isExpired(now: s3.clock() / 1000) else { return nil }
        return (object, snapshot.blob)
    }
}

extension ManifestSegment {
    /// Of the object that the segment is, which parts the bytes of a range are in.
    static func pieces(
        of segments: [ManifestSegment], _ range: Range<UInt64>
    ) -> [(segment: ManifestSegment, range: Range<UInt64>)] {
        var pieces: [(ManifestSegment, Range<UInt64>)] = []
        var start: UInt64 = 0
        for segment in segments where start < range.upperBound {
            let end = start + segment.count
            let (low, high) = (max(start, range.lowerBound), min(end, range.upperBound))
            if low < high { pieces.append((segment, segment.first + (low - start)..<segment.first + (high - start))) }
            start = end
        }
        return pieces
    }

    /// The entity tag of a large object: MD5 of the segments' tags, with the ranges that were asked for.
    static func etag(of segments: [ManifestSegment]) -> String {
        let hasher = Checksums.Hasher(.md5)
        for segment in segments {
            hasher.update(segment.ranged ? "\(segment.etag):\(segment.rangeText);" : segment.etag)
        }
        return hexDigits(of: hasher.finish())
    }

    var rangeText: String { "\(first)-\(first + count - 1)" }

    /// nil: beyond what can be counted.
    static func size(of segments: [ManifestSegment]) -> UInt64? {
        var size: UInt64 = 0
        for segment in segments {
            let (sum, isOver) = size.addingReportingOverflow(segment.count)
            guard !isOver else { return nil }
            size = sum
        }
        return size
    }
}

/// Several sources, one after the other, each opened when its turn comes. One task reads it.
private final class SegmentSource: ContentReading, @unchecked Sendable {
    typealias Opening = @Sendable (ManifestSegment, Range<UInt64>) async throws -> any ContentReading

    private var pieces: ArraySlice<(segment: ManifestSegment, range: Range<UInt64>)>
    private let opening: Opening
    private var present: (any ContentReading)?
    private let buffer = PieceBuffer()

    init(_ pieces: [(segment: ManifestSegment, range: Range<UInt64>)], opening: @escaping Opening) {
        self.pieces = pieces[...]
        self.opening = opening
    }

    func prepare() async throws {
        guard present == nil, let piece = pieces.popFirst() else { return }
        let source = try await opening(piece.segment, piece.range)
        try await source.prepare()
        present = source
    }

    func next() async throws -> ByteBuffer? {
        while true {
            try await prepare()
            guard let present else { return nil }
            if let bytes = try await present.next() { return bytes }
            self.present = nil
        }
    }

    func read(_ count: Int) async throws -> ByteBuffer? { try await buffer.read(count) { try await next() } }
}

/// Bytes that are at hand.
final class BytesContent: ContentReading, @unchecked Sendable {
    private var bytes: ByteBuffer

    init(_ bytes: ByteBuffer) { self.bytes = bytes }

    func prepare() async throws {}

    func next() async throws -> ByteBuffer? { try await read(bytes.readableBytes) }

    func read(_ count: Int) async throws -> ByteBuffer? {
        bytes.readableBytes == 0 ? nil : bytes.readSlice(length: min(count, bytes.readableBytes))
    }
}
