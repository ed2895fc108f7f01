import NIOCore
import NIOHTTP1
import S3Protocol

/// What a request that does many things has done, in the format that the client accepts.
struct BulkReport: Sendable {
    /// What `done` counts, such as `Number Deleted`; nil: nothing is counted.
    var counted: String?
    var done = 0
    /// nil: not told.
    var notFound: Int?
    var errors: [(path: String, status: String)] = []
    /// `201 Created`; nil: not told.
    var status: String?
    var text = ""
    var more: [String: String] = [:]

    private var members: [String: JSON] {
        var members = more.mapValues { JSON.text($0) }
        if let counted { members[counted] = .number(Int64(done)) }
        if let notFound { members["Number Not Found"] = .number(Int64(notFound)) }
        if let status {
            members["Response Status"] = .text(status)
            members["Response Body"] = .text(text)
        }
        return members
    }

    /// - Parameter root: of a document in XML.
    func encoded(_ format: ListingFormat, root: String) -> [UInt8] {
        switch format {
        case .json:
            var members = members
            members["Errors"] = .list(errors.map { [.text($0.path), .text($0.status)] })
            return JSON.object(members).encoded
        case .plain:
            var lines = members.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value.shown)\n" }
            lines.append("Errors:\n")
            lines += errors.map { "\($0.path), \($0.status)\n" }
            return Array(lines.joined().utf8)
        case .xml:
            var lines = ["<\(root)>\n"]
            for (name, value) in members.sorted(by: { $0.key < $1.key }) {
                let tag = name.replacing(" ", with: "_").lowercased()
                lines.append("<\(tag)>\(XMLWriter.escaped(value.shown))</\(tag)>\n")
            }
            lines.append("<errors>\n")
            lines += errors.map {
                "<object><name>\(XMLWriter.escaped($0.path))</name><status>\(XMLWriter.escaped($0.status))</status></object>\n"
            }
            lines.append("</errors>\n</\(root)>\n")
            return Array(lines.joined().utf8)
        }
    }

    func response(_ format: ListingFormat, root: String) -> S3Response {
        S3Response(
            headers: ["Content-Type": format.contentType],
            body: .bytes(ByteBuffer(bytes: encoded(format, root: root))))
    }

    mutating func fail(_ error: SwiftError) {
        status = SwiftError.line(error.status)
        text = error.message ?? ""
    }
}

extension JSON {
    fileprivate var shown: String {
        switch self {
        case .number(let number): String(number)
        case .text(let text): text
        default: ""
        }
    }
}

extension SwiftError {
    /// `404 Not Found`.
    static func line(_ status: Int) -> String { "\(status) \(reason(status))" }
}
