import NIOCore
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// A line of an account's listing.
enum ListedContainer: Sendable {
    case container([UInt8], ContainerUsage.Count, createdMilliseconds: Int64)
    case subdirectory([UInt8])
}

/// A line of a container's listing.
enum ListedObject: Sendable {
    case object([UInt8], ListingSummary)
    case version(ListedVersion)
    case subdirectory([UInt8])

    var name: [UInt8] {
        switch self {
        case .object(let name, _), .subdirectory(let name): name
        case .version(let version): version.key
        }
    }
}

extension ListingFormat {
    func response(accountName: String, _ entries: [ListedContainer], headers: HTTPHeaders) -> S3Response {
        var text = ListingText(self)
        text.open("account", name: accountName)
        for entry in entries {
            switch entry {
            case .subdirectory(let name): text.subdirectory(name)
            case .container(let name, let usage, let created):
                text.entry(
                    "container", name,
                    [
                        ("count", .number(usage.objects)), ("bytes", .number(usage.bytes)),
                        ("last_modified", .text(SwiftHeaders.listed(created))),
                        ("storage_policy", .text(SwiftOperations.policy)),
                    ])
            }
        }
        text.close("account")
        return response(text, isEmpty: entries.isEmpty, headers)
    }

    /// - Parameter accountPath: what a project's id follows in the path of its account.
    func response(
        containerName: String, _ entries: [ListedObject], accountPath: String, headers: HTTPHeaders
    ) -> S3Response {
        var text = ListingText(self)
        text.open("container", name: containerName)
        for entry in entries {
            switch entry {
            case .subdirectory(let name): text.subdirectory(name)
            case .object(let name, let summary):
                text.entry("object", name, Self.fields(summary, accountPath))
            case .version(let version):
                text.entry("object", version.key, Self.fields(version, accountPath))
            }
        }
        text.close("container")
        return response(text, isEmpty: entries.isEmpty, headers)
    }

    private static func fields(_ version: ListedVersion, _ accountPath: String) -> [(String, ListingText.Value)] {
        var summary = version.summary
        if summary.kind == .versionDeleteMarker {
            (summary.contentType, summary.etag) = (LegacyVersions.markerType, ETag.ofNothing)
        }
        return fields(summary, accountPath) + [
            ("version_id", .text(summary.versionId.isEmpty ? "null" : summary.versionId)),
            ("is_latest", .flag(version.isLatest)),
        ]
    }

    private static func fields(_ summary: ListingSummary, _ accountPath: String) -> [(String, ListingText.Value)] {
        var fields: [(String, ListingText.Value)] = [
            ("hash", .text(summary.manifestEtag.isEmpty ? summary.etag : summary.manifestEtag)),
            ("bytes", .number(summary.size)),
            (
                "content_type",
                .text(summary.contentType.isEmpty ? SwiftObjects.contentTypeDefault : summary.contentType)
            ),
            ("last_modified", .text(SwiftHeaders.listed(summary.modifiedMilliseconds))),
        ]
        if summary.manifest { fields.append(("slo_etag", .text(ETag.quoted(summary.etag)))) }
        guard !summary.symlink.isEmpty else { return fields }
        fields.append(("symlink_path", .text(accountPath + PercentEncoding.encode(summary.symlink))))
        if !summary.symlinkEtag.isEmpty {
            fields.append(("symlink_etag", .text(summary.symlinkEtag)))
            fields.append(("symlink_bytes", .number(summary.symlinkBytes)))
        }
        return fields
    }

    private func response(_ text: ListingText, isEmpty: Bool, _ headers: HTTPHeaders) -> S3Response {
        var headers = headers
        headers.replaceOrAdd(name: "Content-Type", value: contentType)
        headers.replaceOrAdd(name: "Vary", value: "Accept")
        guard !isEmpty || self != .plain else { return S3Response(status: .noContent, headers: headers) }
        return S3Response(headers: headers, body: .bytes(ByteBuffer(bytes: text.bytes)))
    }
}

/// Writes a listing into one buffer.
struct ListingText {
    enum Value {
        case number(UInt64)
        case text(String)
        case flag(Bool)
    }

    private let format: ListingFormat
    private(set) var bytes: [UInt8] = []
    private var isFirst = true

    init(_ format: ListingFormat) { self.format = format }

    mutating func open(_ kind: String, name: String) {
        switch format {
        case .plain: break
        case .json: raw("[")
        case .xml:
            raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<\(kind) name=\"")
            xml(Array(name.utf8))
            raw("\">")
        }
    }

    mutating func close(_ kind: String) {
        switch format {
        case .plain: break
        case .json: raw("]")
        case .xml: raw("</\(kind)>")
        }
    }

    mutating func subdirectory(_ name: [UInt8]) {
        switch format {
        case .plain: line(name)
        case .json:
            comma()
            raw("{\"subdir\": ")
            json(name)
            raw("}")
        case .xml:
            raw("<subdir name=\"")
            xml(name)
            raw("\"><name>")
            xml(name)
            raw("</name></subdir>")
        }
    }

    mutating func entry(_ kind: String, _ name: [UInt8], _ fields: [(String, Value)]) {
        switch format {
        case .plain: line(name)
        case .json:
            comma()
            raw("{\"name\": ")
            json(name)
            for (key, value) in fields {
                raw(", \"\(key)\": ")
                switch value {
                case .number(let number): raw(String(number))
                case .text(let text): json(Array(text.utf8))
                case .flag(let flag): raw(flag ? "true" : "false")
                }
            }
            raw("}")
        case .xml:
            raw("<\(kind)><name>")
            xml(name)
            raw("</name>")
            for (key, value) in fields {
                raw("<\(key)>")
                switch value {
                case .number(let number): raw(String(number))
                case .text(let text): xml(Array(text.utf8))
                case .flag(let flag): raw(flag ? "true" : "false")
                }
                raw("</\(key)>")
            }
            raw("</\(kind)>")
        }
    }

    private mutating func comma() {
        if !isFirst { raw(", ") }
        isFirst = false
    }

    private mutating func line(_ name: [UInt8]) {
        bytes += name
        bytes.append(UInt8(ascii: "\n"))
    }

    private mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func json(_ text: [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""): raw("\\\"")
            case UInt8(ascii: "\\"): raw("\\\\")
            case 0..<0x20, 0x7F: raw("\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16))
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func xml(_ text: [UInt8]) { XMLWriter.append(text, to: &bytes) }
}
