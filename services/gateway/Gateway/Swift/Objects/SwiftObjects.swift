import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// How Swift shows and stores the objects that both fronts share.
enum SwiftObjects {
    static let contentTypeDefault = "application/octet-stream"
    static let metadataPrefix = "x-object-meta-"

    /// Headers that are stored with an object besides its metadata, lower case.
    static let stored = [
        "cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires",
        "x-robots-tag",
    ]

    /// Types by the ends of names, for objects that come without one.
    private static let types = [
        "txt": "text/plain", "html": "text/html", "htm": "text/html", "css": "text/css", "csv": "text/csv",
        "js": "text/javascript", "json": "application/json", "xml": "application/xml", "pdf": "application/pdf",
        "zip": "application/zip", "gz": "application/gzip", "tar": "application/x-tar", "png": "image/png",
        "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "svg": "image/svg+xml", "webp": "image/webp",
        "mp3": "audio/mpeg", "mp4": "video/mp4", "mpeg": "video/mpeg", "mov": "video/quicktime", "md": "text/markdown",
    ]

    static func contentType(_ headers: HTTPHeaders, name: [UInt8]) -> String {
        if !SwiftRequest.isTrue(headers.first(name: "x-detect-content-type")),
            let given = headers.first(name: "content-type"), !given.isEmpty
        {
            return given
        }
        let ending = name.split(separator: UInt8(ascii: "/")).last?.split(separator: UInt8(ascii: "."))
        guard let ending, ending.count > 1, let last = ending.last else { return contentTypeDefault }
        return types[String(decoding: last, as: UTF8.self).lowercased()] ?? contentTypeDefault
    }

    /// The headers that a request sets on its object. Content-Type is left out when the request has none.
    static func headers(_ headers: HTTPHeaders) -> [HeaderField] {
        stored.compactMap { name in
            headers.first(name: name).flatMap { $0.isEmpty ? nil : HeaderField(name: name, value: $0) }
        }
    }

    static func metadata(_ headers: HTTPHeaders) throws(SwiftError) -> [HeaderField] {
        try SwiftHeaders.metadata(headers, prefix: metadataPrefix).filter { !$0.value.isEmpty }
            .map { HeaderField(name: $0.name, value: $0.value) }
    }

    /// When the object is to go, in seconds since 1970; nil: the request does not say.
    static func deletionTime(_ headers: HTTPHeaders, now: Int64) throws(SwiftError) -> Int64? {
        if let after = headers.first(name: "x-delete-after") {
            guard let seconds = Int64(after), seconds <= 1 << 40 else {
                throw SwiftError(400, "Non-integer X-Delete-After")
            }
            guard seconds > 0 else { throw SwiftError(400, "X-Delete-After in past") }
            return now + seconds
        }
        guard let at = headers.first(name: "x-delete-at") else { return nil }
        guard let seconds = Int64(at), seconds <= 1 << 40 else { throw SwiftError(400, "Non-integer X-Delete-At") }
        guard seconds > now else { throw SwiftError(400, "X-Delete-At in past") }
        return seconds
    }

    // MARK: - What is shown

    static func responseHeaders(_ object: ObjectRecord) -> HTTPHeaders {
        var headers = HTTPHeaders()
        if object.headers["content-type"] == nil { headers.add(name: "Content-Type", value: contentTypeDefault) }
        for field in object.headers { headers.add(name: SwiftHeaders.titled(field.name), value: field.value) }
        for field in object.metadata {
            headers.add(name: SwiftHeaders.titled(metadataPrefix + field.name), value: field.value)
        }
        headers.add(
            name: "Last-Modified",
            value: HTTPDate.format(SwiftHeaders.lastModifiedSeconds(object.modifiedMilliseconds)))
        headers.add(name: "X-Timestamp", value: SwiftHeaders.timestamp(object.modifiedMilliseconds))
        headers.add(name: "Accept-Ranges", value: "bytes")
        if object.deleteAtSeconds > 0 { headers.add(name: "X-Delete-At", value: String(object.deleteAtSeconds)) }
        if !object.objectManifest.isEmpty {
            headers.add(name: "X-Object-Manifest", value: PercentEncoding.encode(object.objectManifest))
        }
        return headers
    }
}
