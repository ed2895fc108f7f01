import Checksums
import Model
import NIOCore
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// Static large objects: their manifests, put and copied.
extension SwiftOperations {
    private static let segmentsAtOnce = 8

    /// Large objects of the account that the call is about, read with the rights of its caller.
    func segmented(_ call: SwiftCall) throws(SwiftError) -> SegmentedContent {
        SegmentedContent(s3: s3, context: call.context, project: try call.requiredProject().id) { bucket, _, _ in
            var one = call
            (one.container, one.containerName) = (bucket, bucket.containerName)
            try self.check(.readObject, one)
        }
    }

    // MARK: - PUT ?multipart-manifest=put

    func putManifest(_ call: SwiftCall) async throws -> S3Response {
        let request = call.request
        guard request.header("x-copy-from") == nil else {
            throw SwiftError(405, "Multipart Manifest PUTs cannot be COPY requests")
        }
        guard request.header("content-length") != nil || request.header("transfer-encoding") != nil else {
            throw SwiftError(411, "Missing Content-Length header.")
        }
        let format = try ListingFormat(request)
        let container = try call.requiredContainer()
        let body: ByteBuffer
        do { body = try await request.body.collect(upTo: SegmentedContent.manifestBytesMax) } catch {
            guard error.code == .maxMessageLengthExceeded else { throw error }
            throw SwiftError(413, "Manifest File > \(SegmentedContent.manifestBytesMax) bytes")
        }
        let given = try ManifestDocument.parse(body, own: "/\(call.containerName ?? "")/\(call.objectName)")
        try await checkQuotas(call, container, adding: 0)
        guard SwiftRequest.isTrue(request.query["heartbeat"]) else {
            let object = try await makeManifest(given, call, container, format)
            var response = Self.created(object)
            response.headers.replaceOrAdd(name: "Etag", value: ETag.quoted(object.etag))
            return response
        }
        return .heartbeat(type: format.contentType) {
            let report = await self.manifestReport { try await self.makeManifest(given, call, container, format) }
            return report.encoded(format, root: "upload")
        }
    }

    /// What an answer that began before its outcome was known says of it.
    private func manifestReport(_ work: () async throws -> ObjectRecord) async -> BulkReport {
        do {
            let object = try await work()
            let modified = SwiftHeaders.lastModifiedSeconds(object.modifiedMilliseconds)
            return BulkReport(
                status: "201 Created",
                more: ["Etag": ETag.quoted(object.etag), "Last Modified": HTTPDate.format(modified)])
        } catch let faults as SegmentFaults {
            return BulkReport(errors: faults.errors, status: SwiftError.line(400))
        } catch {
            var report = BulkReport()
            report.fail(SwiftError(error))
            return report
        }
    }

    private func makeManifest(
        _ given: [GivenSegment], _ call: SwiftCall, _ container: BucketRecord, _ format: ListingFormat
    ) async throws -> ObjectRecord {
        let segments = try await check(given, call, format)
        var object = try newObject(call)
        let etag = ManifestSegment.etag(of: segments)
        if let expected = call.request.header("etag").map(ETag.unquoted), !expected.isEmpty, expected != etag {
            throw SwiftError(422)
        }
        try await write(segments, as: &object, call, container)
        return object
    }

    /// Stores the list as content of the object, and what it is in all.
    private func write(
        _ segments: [ManifestSegment], as object: inout ObjectRecord, _ call: SwiftCall, _ container: BucketRecord
    ) async throws {
        guard let size = ManifestSegment.size(of: segments) else { throw SwiftError(400) }
        let encoded = SegmentManifest(segments: segments).encoded()
        try await write(
            BytesContent(ByteBuffer(bytes: encoded)), expected: UInt64(encoded.count), as: &object, call, container,
            condition: try Self.condition(call.request.headers)
        ) { object, _ in
            (object.manifestSize, object.size) = (UInt64(encoded.count), size)
            object.etag = ManifestSegment.etag(of: segments)
            object.manifestEtag = ManifestDocument.etag(of: segments)
        }
    }

    // MARK: - Segments

    /// Looks at every segment; throws 400 with all faults.
    private func check(
        _ given: [GivenSegment], _ call: SwiftCall, _ format: ListingFormat
    ) async throws -> [ManifestSegment] {
        var outcomes = [Result<ManifestSegment, SwiftError>?](repeating: nil, count: given.count)
        await withTaskGroup(of: (Int, Result<ManifestSegment, SwiftError>).self) { group in
            var waiting = given.enumerated().makeIterator()
            func start() {
                guard let (index, segment) = waiting.next() else { return }
                group.addTask { (index, await self.check(segment, call)) }
            }
            for _ in 0..<Self.segmentsAtOnce { start() }
            for await (index, outcome) in group {
                outcomes[index] = outcome
                start()
            }
        }
        var faults = SegmentFaults(format: format)
        var segments: [ManifestSegment] = []
        for case (let segment, let outcome?) in zip(given, outcomes) {
            switch outcome {
            case .success(let found): segments.append(found)
            // A store that does not answer is no fault of the manifest.
            case .failure(let error) where error.status >= 500: throw error
            case .failure(let error):
                guard case .object(let path, _, _, _) = segment else { continue }
                faults.errors.append(
                    ("/" + PercentEncoding.encode(path), error.message ?? SwiftError.line(error.status)))
            }
        }
        guard faults.errors.isEmpty else { throw faults }
        return segments
    }

    private func check(_ given: GivenSegment, _ call: SwiftCall) async -> Result<ManifestSegment, SwiftError> {
        switch given {
        case .data(let bytes):
            let count = UInt64(bytes.count)
            return .success(
                ManifestSegment(
                    etag: hexDigits(of: HashAlgorithm.md5.hash(bytes)), size: count, first: 0, count: count,
                    data: bytes))
        case .object(let path, let etag, let size, let range):
            do {
                let found = try await segment(path, range, call)
                if let size, size != found.size { throw SwiftError(400, "Size Mismatch") }
                if let etag, etag != found.etag { throw SwiftError(400, "Etag Mismatch") }
                return .success(found)
            } catch {
                return .failure(SwiftError(error))
            }
        }
    }

    private func segment(_ path: String, _ range: ByteRange?, _ call: SwiftCall) async throws -> ManifestSegment {
        let parts = SwiftTarget.parts(Array(("/" + path).utf8), atMost: 2)
        var one = call
        let container = String(decoding: parts[0], as: UTF8.self)
        one.containerName = container
        one.container = await self.container(container, of: try call.requiredProject())
        try check(.readObject, one)
        let name = try shared(one, try one.requiredContainer(), key: parts[1]).object
        let snapshot = try await storage.read(name, withBlob: false, context: call.context)
        guard let object = try ObjectRecord(snapshot), !object.isExpired(now: clock() / 1000) else {
            throw SwiftError.notFound
        }
        var bytes = 0..<object.size
        if let range {
            guard let wanted = range.resolved(size: object.size) else { throw SwiftError(400, "Unsatisfiable Range") }
            bytes = wanted
        }
        guard !bytes.isEmpty else { throw SwiftError(400, "Too Small; each segment must be at least 1 byte.") }
        return ManifestSegment(
            container: container, object: String(decoding: parts[1], as: UTF8.self), etag: object.etag,
            size: object.size, first: bytes.lowerBound, count: UInt64(bytes.count), nested: object.manifestSize > 0,
            ranged: bytes != 0..<object.size, contentType: object.headers["content-type"] ?? "",
            modifiedMilliseconds: object.modifiedMilliseconds)
    }

    // MARK: - COPY ?multipart-manifest=get

    /// Makes the target the same list of segments as the source is, after another look at each in the target's account.
    func copyManifest(
        from source: SwiftCall, as object: inout ObjectRecord, to target: SwiftCall, _ container: BucketRecord
    ) async throws {
        let name = try shared(source, try source.requiredContainer(), key: source.object ?? []).object
        let snapshot = try await storage.read(name, withBlob: true, context: source.context)
        guard let present = try ObjectRecord(snapshot), present.manifestSize > 0 else { throw SwiftError.notFound }
        let manifest = try await segmented(source).manifest(of: present, beside: snapshot.blob)
        let given = manifest.segments.map { segment -> GivenSegment in
            guard !segment.container.isEmpty else { return .data(segment.data) }
            let range =
                segment.ranged
                ? ByteRange.bounded(first: segment.first, last: segment.first + segment.count - 1) : nil
            return .object(
                path: "\(segment.container)/\(segment.object)", etag: segment.etag, size: segment.size, range: range)
        }
        let segments = try await check(given, target, try ListingFormat(target.request))
        try await write(segments, as: &object, target, container)
    }
}

/// What is wrong with the segments of a manifest, each with its path.
struct SegmentFaults: Error, SwiftAnswering {
    let format: ListingFormat
    var errors: [(path: String, status: String)] = []

    init(format: ListingFormat) { self.format = format }

    var answer: SwiftError {
        let text = BulkReport(errors: errors).encoded(format, root: "upload")
        return SwiftError(400, String(decoding: text, as: UTF8.self), headers: ["Content-Type": format.contentType])
    }
}
