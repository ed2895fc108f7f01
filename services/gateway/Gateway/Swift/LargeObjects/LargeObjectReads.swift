import Checksums
import Model
import NIOCore
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// GET and HEAD of objects that are made of others.
extension SwiftOperations {
    /// Whether a request needs the list of segments, not only what the object's own record says.
    static func needsManifest(_ call: SwiftCall) -> Bool {
        call.operation != .headObject || call.request.query["part-number"] != nil || readsManifest(call)
    }

    static func readsManifest(_ call: SwiftCall) -> Bool { call.request.query["multipart-manifest"] == "get" }

    /// The object as its segments make it, its manifest as a document, or nil: it is a plain one.
    func largeObject(_ object: ObjectRecord, beside blob: ByteBuffer?, _ call: SwiftCall) async throws
        -> ReadableObject?
    {
        if object.manifestSize > 0 {
            guard Self.needsManifest(call) else { return staticObject(object, [], call) }
            let manifest = try await segmented(call).manifest(of: object, beside: blob)
            return Self.readsManifest(call)
                ? document(object, manifest, call) : staticObject(object, manifest.segments, call)
        }
        guard !object.objectManifest.isEmpty, !Self.readsManifest(call) else { return nil }
        let segments = try await segmented(call).dynamicSegments(object.objectManifest)
        guard let size = ManifestSegment.size(of: segments) else { throw SwiftError(409) }
        var found = joined(segments, object, call)
        (found.size, found.etag) = (size, ETag.quoted(ManifestSegment.etag(of: segments)))
        return found
    }

    private func staticObject(
        _ object: ObjectRecord, _ segments: [ManifestSegment], _ call: SwiftCall
    ) -> ReadableObject {
        var found = joined(segments, object, call)
        found.extraHeaders = ["X-Static-Large-Object": "True", "X-Manifest-Etag": object.manifestEtag]
        found.parts = segments.map(\.count)
        return found
    }

    private func joined(_ segments: [ManifestSegment], _ object: ObjectRecord, _ call: SwiftCall) -> ReadableObject {
        ReadableObject(object: object, etag: ETag.quoted(object.etag), size: object.size) { range in
            let source = try self.segmented(call).source(segments, range: range)
            try await source.prepare()
            return source
        }
    }

    private func document(_ object: ObjectRecord, _ manifest: SegmentManifest, _ call: SwiftCall) -> ReadableObject {
        let isRaw = call.request.query["format"] == "raw"
        let bytes = ManifestDocument.encoded(manifest.segments, isRaw: isRaw)
        let etag = isRaw ? hexDigits(of: HashAlgorithm.md5.hash(bytes)) : object.manifestEtag
        var found = ReadableObject(object: object, etag: etag, size: UInt64(bytes.count)) { range in
            BytesContent(ByteBuffer(bytes: bytes[Int(range.lowerBound)..<Int(range.upperBound)]))
        }
        found.extraHeaders = [
            "X-Static-Large-Object": "True", "Content-Type": "application/json; charset=utf-8",
        ]
        return found
    }

    // MARK: - One part

    /// The part that the request asks for; nil: none, or the object has none.
    static func selectedPart(_ call: SwiftCall, _ found: ReadableObject) throws(SwiftError) -> Range<UInt64>? {
        guard let text = call.request.query["part-number"], !found.parts.isEmpty else { return nil }
        guard let number = Int(text), number > 0 else {
            throw SwiftError(400, "Part number must be an integer greater than 0")
        }
        guard call.request.header("range") == nil else {
            throw SwiftError(400, "Range requests are not supported with part number queries")
        }
        guard number <= found.parts.count else {
            throw SwiftError(
                416, "The requested part number is not satisfiable",
                headers: ["X-Parts-Count": String(found.parts.count)])
        }
        let start = found.parts[..<(number - 1)].reduce(0, +)
        return start..<(start + found.parts[number - 1])
    }

    // MARK: - X-Object-Manifest

    /// Container and prefix, decoded, of a dynamic large object; empty: the request makes none.
    static func objectManifest(_ headers: HTTPHeaders) throws(SwiftError) -> String {
        guard let header = headers.first(name: "x-object-manifest"), !header.isEmpty else { return "" }
        guard let value = PercentEncoding.decode(header), let slash = value.firstIndex(of: "/"),
            slash != value.startIndex, value.index(after: slash) != value.endIndex, !value.contains("?"),
            !value.contains("&"), value[value.index(after: slash)] != "/", !value.utf8.contains(0)
        else { throw SwiftError(400, "X-Object-Manifest must be in the format container/prefix") }
        return value
    }
}
