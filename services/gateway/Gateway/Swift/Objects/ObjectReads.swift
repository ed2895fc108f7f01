import Model
import NIOCore
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// An object that is to be read, and how to get at its bytes.
struct ReadableObject: Sendable {
    /// What its headers are made of.
    var object: ObjectRecord
    /// As it is shown: with quotes when the object is made of others.
    var etag: String
    var size: UInt64
    var extraHeaders: HTTPHeaders = [:]
    /// Sizes of the parts that clients may ask for one by one.
    var parts: [UInt64] = []
    /// Bytes of a part of the content.
    var open: @Sendable (Range<UInt64>) async throws -> any ContentSource
}

/// GET and HEAD of objects.
extension SwiftOperations {
    func getObject(_ call: SwiftCall) async throws -> S3Response {
        do {
            return try await answer(call, try await readable(call))
        } catch AccessError.absent {
            // Replaced, and its content dropped, since its register was read.
            return try await answer(call, try await readable(call))
        }
    }

    /// What a GET of this object is to give.
    func readable(_ call: SwiftCall) async throws -> ReadableObject {
        let container = try call.requiredContainer()
        let shared = try shared(call, container, key: call.object ?? [], .getObject)
        let withBlob = Self.needsManifest(call)
        let (found, blob) = try await s3.read(call.version, of: shared.object, withBlob: withBlob, shared)
        guard let object = found, !object.isDeleteMarker,
            call.version != nil || !object.isExpired(now: clock() / 1000)
        else { throw SwiftError.notFound }
        if !object.symlinkTarget.isEmpty, !call.readsLink { return try await follow(object, call) }
        return try await readable(object, beside: blob, call)
    }

    func readable(_ object: ObjectRecord, beside blob: ByteBuffer?, _ call: SwiftCall) async throws -> ReadableObject {
        try await largeObject(object, beside: blob, call) ?? plain(object, beside: blob, call)
    }

    /// The bytes that are stored under the object's own name.
    func plain(_ object: ObjectRecord, beside blob: ByteBuffer?, _ call: SwiftCall) -> ReadableObject {
        ReadableObject(object: object, etag: object.etag, size: object.storedSize) { [s3] range in
            let stream = try s3.content(
                of: object, try await s3.encryptionKeys.open(object.encryption, nil), range: range, beside: blob,
                context: call.context)
            try await stream.prepare()
            return stream
        }
    }

    // MARK: - The answer

    private func answer(_ call: SwiftCall, _ found: ReadableObject) async throws -> S3Response {
        var headers = SwiftObjects.responseHeaders(found.object)
        headers.replaceOrAdd(name: "Etag", value: found.etag)
        for (name, value) in found.extraHeaders { headers.replaceOrAdd(name: name, value: value) }
        Self.addVersion(of: found.object, call, to: &headers)
        addLink(found.object, call, to: &headers)
        let modified = SwiftHeaders.lastModifiedSeconds(found.object.modifiedMilliseconds)
        switch Preconditions(call.request.headers).evaluate(etag: ETag.unquoted(found.etag), modified: modified) {
        case .proceed: break
        case .notModified:
            headers.remove(name: "Content-Type")
            return S3Response(status: .notModified, headers: headers)
        case .failed: throw SwiftError(412, headers: headers.without(["Content-Type", "Content-Encoding"]))
        }
        let part = try Self.selectedPart(call, found)
        let ranges = try part.map { [$0] } ?? selected(call, found, modified: modified)
        if part != nil { headers.add(name: "X-Parts-Count", value: String(found.parts.count)) }
        guard call.operation != .headObject else {
            headers.add(name: "Content-Length", value: String(part.map { UInt64($0.count) } ?? found.size))
            return S3Response(status: part == nil ? .ok : .partialContent, headers: headers)
        }
        return try await Self.response(found, ranges, headers)
    }

    /// The ranges that are asked for; empty: everything.
    private func selected(_ call: SwiftCall, _ found: ReadableObject, modified: Int64) throws -> [Range<UInt64>] {
        guard call.operation != .headObject, let header = call.request.header("range") else { return [] }
        if let validator = call.request.header("if-range") {
            let isSame =
                HTTPDate.parse(validator).map { $0 == modified }
                ?? (ETag.unquoted(validator) == ETag.unquoted(found.etag))
            guard isSame else { return [] }
        }
        guard let wanted = ByteRangeSet(header: header) else { return [] }
        let ranges = wanted.resolved(size: found.size)
        guard !ranges.isEmpty else {
            throw SwiftError(
                416, headers: ["Content-Range": "bytes */\(found.size)", "Etag": found.etag, "Accept-Ranges": "bytes"])
        }
        return ranges
    }

    private static func response(
        _ found: ReadableObject, _ ranges: [Range<UInt64>], _ headers: HTTPHeaders
    ) async throws -> S3Response {
        var response = S3Response(headers: headers)
        if ranges.count > 1 {
            let parts = MultipartRanges(
                ranges, size: found.size, contentType: headers.first(name: "content-type") ?? "", open: found.open)
            response.status = .partialContent
            response.headers.replaceOrAdd(name: "Content-Type", value: parts.contentType)
            response.body = .stream(length: parts.length) { try await parts.next() }
            return response
        }
        let range = ranges.first ?? 0..<found.size
        if let only = ranges.first {
            response.status = .partialContent
            response.headers.add(
                name: "Content-Range", value: "bytes \(only.lowerBound)-\(only.upperBound - 1)/\(found.size)")
        }
        guard !range.isEmpty else { return response }
        let source = try await found.open(range)
        response.body = .stream(length: UInt64(range.count)) { try await source.read(Limits.chunkSize) }
        return response
    }
}

extension HTTPHeaders {
    func without(_ names: [String]) -> HTTPHeaders {
        var headers = self
        for name in names { headers.remove(name: name) }
        return headers
    }
}

/// Several ranges of one object.
struct ByteRangeSet: Sendable, Equatable {
    /// More are no use to anybody.
    static let countMax = 50

    var ranges: [ByteRange]

    /// nil when the header is not understood: then it is ignored.
    init?(header: String) {
        guard header.lowercased().hasPrefix("bytes=") else { return nil }
        ranges = []
        for part in header.dropFirst(6).split(separator: ",", omittingEmptySubsequences: true) {
            guard ranges.count < Self.countMax, let range = ByteRange(header: "bytes=" + part.filter { $0 != " " })
            else {
                return nil
            }
            ranges.append(range)
        }
        guard !ranges.isEmpty else { return nil }
    }

    /// Those that exist in content of this size, as often as they were asked for.
    func resolved(size: UInt64) -> [Range<UInt64>] { ranges.compactMap { $0.resolved(size: size) } }
}

/// The body of an answer with several ranges: `multipart/byteranges` (RFC 9110 section 14.6). One task reads it.
final class MultipartRanges: @unchecked Sendable {
    let contentType: String
    let length: UInt64
    private let open: @Sendable (Range<UInt64>) async throws -> any ContentSource
    private let last: String
    private var parts: [(head: String, range: Range<UInt64>)]
    private var source: (any ContentSource)?
    private var isDone = false

    init(
        _ ranges: [Range<UInt64>], size: UInt64, contentType type: String,
        open: @escaping @Sendable (Range<UInt64>) async throws -> any ContentSource
    ) {
        let boundary = RequestID.make().lowercased() + RequestID.make().lowercased()
        contentType = "multipart/byteranges;boundary=\(boundary)"
        self.open = open
        parts = ranges.enumerated().map { index, range in
            let start = index == 0 ? "" : "\r\n"
            let head =
                "\(start)--\(boundary)\r\nContent-Type: \(type)\r\nContent-Range: bytes "
                + "\(range.lowerBound)-\(range.upperBound - 1)/\(size)\r\n\r\n"
            return (head, range)
        }
        last = "\r\n--\(boundary)--"
        length = parts.reduce(UInt64(last.utf8.count)) { $0 + UInt64($1.head.utf8.count) + UInt64($1.range.count) }
    }

    func next() async throws -> ByteBuffer? {
        if let bytes = try await source?.read(Limits.chunkSize) { return bytes }
        source = nil
        guard !parts.isEmpty else {
            defer { isDone = true }
            return isDone ? nil : ByteBuffer(string: last)
        }
        let part = parts.removeFirst()
        source = try await open(part.range)
        return ByteBuffer(string: part.head)
    }
}
