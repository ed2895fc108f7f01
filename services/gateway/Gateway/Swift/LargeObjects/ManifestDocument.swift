import Checksums
import Foundation
import Model
import NIOCore
import S3Protocol
import Wire

/// One entry of the list that a client puts as a manifest.
enum GivenSegment: Sendable, Equatable {
    case object(path: String, etag: String?, size: UInt64?, range: ByteRange?)
    /// Content that stands in the manifest itself.
    case data([UInt8])
}

/// The manifests of static large objects as clients write and read them: lists in JSON. Pure.
enum ManifestDocument {
    static let segmentsMax = 1000

    // MARK: - Reading

    /// - Parameter own: path of the manifest, `/container/object`.
    ///
    /// Throws 400 with a line for each fault, 413 when there are too many segments.
    static func parse(_ bytes: ByteBuffer, own: String) throws(SwiftError) -> [GivenSegment] {
        guard let document = JSON(parsing: bytes.readableBytesView) else {
            throw SwiftError(400, "Manifest must be valid JSON.\n")
        }
        guard let list = document.list else { throw SwiftError(400, "Manifest must be a list.\n") }
        guard !list.isEmpty else { throw SwiftError(400, "Manifest must have at least one segment.\n") }
        guard list.count(where: { $0["path"] != nil }) <= segmentsMax, list.count <= 2 * segmentsMax else {
            throw SwiftError(413, "Number of object-backed segments must be <= \(segmentsMax)")
        }
        var faults: [String] = []
        var segments: [GivenSegment] = []
        for (index, entry) in list.enumerated() {
            do throws(Fault) {
                segments.append(try segment(entry, isLast: index == list.count - 1, own: own))
            } catch {
                faults += error.texts.map { "Index \(index): \($0)" }
            }
        }
        if !list.contains(where: { $0["path"] != nil }) {
            faults.append("Inline data segments require at least one object-backed segment.")
        }
        guard faults.isEmpty else { throw SwiftError(400, faults.map { $0 + "\n" }.joined()) }
        return segments
    }

    private struct Fault: Error { var texts: [String] }

    private static func segment(_ entry: JSON, isLast: Bool, own: String) throws(Fault) -> GivenSegment {
        guard case .object(let members) = entry else { throw Fault(texts: ["not a JSON object"]) }
        let isObject = members["path"] != nil
        guard isObject || members["data"] != nil else {
            throw Fault(texts: ["expected keys to include one of 'data' or 'path'"])
        }
        let allowed: Set = isObject ? ["path", "etag", "size_bytes", "range"] : ["data"]
        let extra = members.keys.filter { !allowed.contains($0) }.sorted()
        guard extra.isEmpty else {
            throw Fault(texts: ["extraneous keys " + extra.map { "\"\($0)\"" }.joined(separator: ", ")])
        }
        return isObject ? try object(members, isLast: isLast, own: own) : .data(try data(members))
    }

    private static func data(_ members: [String: JSON]) throws(Fault) -> [UInt8] {
        guard let text = members["data"]?.text, let bytes = Base64.decode(padded(text)) else {
            throw Fault(texts: ["data must be valid base64"])
        }
        guard !bytes.isEmpty else { throw Fault(texts: ["too small; each segment must be at least 1 byte."]) }
        return bytes
    }

    private static func padded(_ text: String) -> String {
        let bare = text.filter { $0 != "=" }
        return bare + String(repeating: "=", count: (4 - bare.utf8.count % 4) % 4)
    }

    private static func object(_ members: [String: JSON], isLast: Bool, own: String) throws(Fault) -> GivenSegment {
        var faults: [String] = []
        var (etag, size, range) = (String?.none, UInt64?.none, ByteRange?.none)
        guard let path = members["path"]?.text else { throw Fault(texts: ["\"path\" must be a string"]) }
        switch members["etag"] {
        case nil, .null?: break
        case .text(let text)?: etag = text.isEmpty ? nil : ETag.unquoted(text)
        default: faults.append("\"etag\" must be a string or null (if provided)")
        }
        switch members["size_bytes"] {
        case nil, .null?: break
        case .number(let number)? where number >= 0: size = UInt64(number)
        case .text(let text)? where UInt64(text) != nil: size = UInt64(text)
        default: faults.append("invalid size_bytes")
        }
        if size == 0, !isLast { faults.append("too small; each segment must be at least 1 byte.") }
        let bare = String(path.drop { $0 == "/" })
        if !trimmed(bare).contains("/") {
            faults.append("path does not refer to an object. Path must be of the form /container/object.")
        }
        if Array(("/" + bare).utf8) == Array(own.utf8) {
            faults.append("manifest must not include itself as a segment")
        }
        switch members["range"] {
        case nil, .null?, .text("")?: break
        case .text(let text)?:
            range = ByteRange(header: "bytes=" + text)
            if range == nil {
                faults.append(text.contains(",") ? "multiple ranges (only one allowed)" : "invalid range")
            } else if let size, range?.resolved(size: size) == nil {
                faults.append("unsatisfiable range")
            }
        default: faults.append("invalid range")
        }
        guard faults.isEmpty else { throw Fault(texts: faults) }
        return .object(path: bare, etag: etag, size: size, range: range)
    }

    private static func trimmed(_ path: String) -> String {
        var path = path[...]
        while path.last == "/" { path = path.dropLast() }
        return String(path)
    }

    // MARK: - Writing

    /// - Parameter isRaw: as it could be put again.
    static func encoded(_ segments: [ManifestSegment], isRaw: Bool) -> [UInt8] {
        JSON.list(segments.map { isRaw ? raw($0) : shown($0) }).encoded
    }

    private static func raw(_ segment: ManifestSegment) -> JSON {
        guard !segment.container.isEmpty else { return ["data": .text(Base64.encode(segment.data))] }
        var entry: [String: JSON] = [
            "path": .text("/\(segment.container)/\(segment.object)"), "etag": .text(segment.etag),
            "size_bytes": .number(Int64(clamping: segment.size)),
        ]
        if segment.ranged { entry["range"] = .text(segment.rangeText) }
        return .object(entry)
    }

    private static func shown(_ segment: ManifestSegment) -> JSON {
        guard !segment.container.isEmpty else { return raw(segment) }
        var entry: [String: JSON] = [
            "name": .text("/\(segment.container)/\(segment.object)"), "hash": .text(segment.etag),
            "bytes": .number(Int64(clamping: segment.size)), "content_type": .text(segment.contentType),
            "last_modified": .text(SwiftHeaders.listed(segment.modifiedMilliseconds)),
        ]
        if segment.ranged { entry["range"] = .text(segment.rangeText) }
        if segment.nested { entry["sub_slo"] = true }
        return .object(entry)
    }

    static func etag(of segments: [ManifestSegment]) -> String {
        hexDigits(of: HashAlgorithm.md5.hash(encoded(segments, isRaw: false)))
    }
}
