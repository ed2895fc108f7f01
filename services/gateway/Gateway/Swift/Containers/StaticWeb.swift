import Model
import NIOCore
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// A container as a static website: X-Container-Meta-Web-*.
struct StaticWeb: Sendable, Equatable {
    var index: String?
    /// What names of error pages end with, such as `error.html` of `404error.html`.
    var error: String?
    var lists: Bool
    var css: String?
    var label: String?
    /// Objects of this type, empty ones, stand for directories.
    var directoryType: String

    /// nil: it is none.
    init?(_ container: BucketRecord?) {
        func value(_ name: String) -> String? {
            container?.headers["x-container-meta-web-" + name].flatMap { $0.isEmpty ? nil : $0 }
        }
        (index, error) = (value("index"), value("error"))
        lists = SwiftRequest.isTrue(value("listings"))
        (css, label) = (value("listings-css"), value("listings-label"))
        directoryType = value("directory-type") ?? "text/directory"
        guard index != nil || error != nil || lists else { return nil }
    }
}

/// Pages for browsers: requests without a token, or with `X-Web-Mode: true`.
extension SwiftOperations {
    private static let listedMax = 10_000

    /// nil: the request is not for a website, and is answered as any other.
    func webPage(_ call: SwiftCall, _ decision: SwiftAuthorization.Decision) async throws -> S3Response? {
        let isRead = [.getContainer, .headContainer, .getObject, .headObject].contains(call.operation)
        let isForBrowsers =
            if case .anonymous = call.caller { true } else { SwiftRequest.isTrue(call.request.header("x-web-mode")) }
        guard isRead, isForBrowsers, let container = call.container, container.state == .bucketActive,
            let web = StaticWeb(container), call.project?.headers[Self.deletedHeader] == nil
        else { return nil }
        do {
            return call.object == nil
                ? try await directory(call, [], web) : try await page(call, web, decision)
        } catch {
            return try await errorPage(SwiftError(error), call, web)
        }
    }

    private func page(
        _ call: SwiftCall, _ web: StaticWeb, _ decision: SwiftAuthorization.Decision
    ) async throws -> S3Response? {
        try SwiftAuthorization.check(decision, account: call.account)
        let name = call.object ?? []
        do {
            var reading = call
            reading.version = nil
            let found = try await readable(reading)
            let isDirectory =
                found.size <= 1 && found.object.headers["content-type"]?.prefix { $0 != ";" } == web.directoryType[...]
            if !isDirectory { return try await getObject(reading) }
        } catch let error where SwiftError(error).status != 404 { throw error } catch {}
        return try await directory(call, name, web)
    }

    /// The index of a directory, or its listing. A path without its slash is sent to the one with it.
    private func directory(_ call: SwiftCall, _ name: [UInt8], _ web: StaticWeb) async throws -> S3Response? {
        guard web.index != nil || web.lists else {
            if name.isEmpty { return nil }
            throw SwiftError.notFound
        }
        let slash = UInt8(ascii: "/")
        let hasSlash = call.request.path.last == slash
        let folder = name.isEmpty || name.last == slash ? name : name + [slash]
        if let index = web.index {
            do {
                let page = try await read(folder + Array(index.utf8), call)
                return hasSlash ? page : Self.withSlash(call)
            } catch let error where SwiftError(error).status != 404 { throw error } catch {}
        }
        guard web.lists else { throw SwiftError.notFound }
        try check(.readContainer, call)
        guard let id = call.container?.bucketID else { throw SwiftError.notFound }
        let query = ListingQuery(prefix: folder, limit: Self.listedMax, delimiter: [slash])
        let entries = try await listing(query, of: id, call)
        guard !entries.isEmpty || name.isEmpty else { throw SwiftError.notFound }
        guard hasSlash else { return Self.withSlash(call) }
        return Self.listingPage(entries, below: folder, call, web)
    }

    /// An object of the container, with the rights of the caller.
    private func read(_ name: [UInt8], _ call: SwiftCall) async throws -> S3Response {
        var reading = call
        reading.object = name
        reading.version = nil
        reading.operation = call.request.method == "HEAD" ? .headObject : .getObject
        try Self.checkObjectName(name)
        try check(.readObject, reading)
        return try await getObject(reading)
    }

    private static func withSlash(_ call: SwiftCall) -> S3Response {
        S3Response(status: .movedPermanently, headers: ["Location": call.request.origin + call.request.rawPath + "/"])
    }

    /// `404error.html` of the container, with the status of the error.
    private func errorPage(_ error: SwiftError, _ call: SwiftCall, _ web: StaticWeb) async throws -> S3Response? {
        guard let name = web.error, (400..<500).contains(error.status), error.status != 412, error.status != 416 else {
            throw error
        }
        var plain = call
        for header in ["range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"] {
            plain.request.headers.remove(name: header)
        }
        guard var answer = try? await read(Array("\(error.status)\(name)".utf8), plain) else { throw error }
        answer.status = HTTPResponseStatus(
            statusCode: error.status, reasonPhrase: SwiftError.reason(error.status))
        for (name, value) in error.headers { answer.headers.replaceOrAdd(name: name, value: value) }
        return answer
    }

    // MARK: - Listings

    private static func listingPage(
        _ entries: [ListedObject], below folder: [UInt8], _ call: SwiftCall, _ web: StaticWeb
    ) -> S3Response {
        let place = web.label.map { "\($0)/" + String(decoding: folder, as: UTF8.self) }
        let title = XMLWriter.escaped("Listing of " + (place ?? String(decoding: call.request.path, as: UTF8.self)))
        let depth = folder.count { $0 == UInt8(ascii: "/") }
        var html = "<!DOCTYPE html>\n<html>\n<head>\n<title>\(title)</title>\n"
        if let css = web.css {
            // A path in the container, unless it is an address.
            let isAddress = css.hasPrefix("/") || css.contains("://")
            html +=
                "<link rel=\"stylesheet\" type=\"text/css\" href=\""
                + XMLWriter.escaped((isAddress ? "" : String(repeating: "../", count: depth)) + css) + "\" />\n"
        }
        html += "</head>\n<body>\n<h1 id=\"title\">\(title)</h1>\n<table id=\"listing\">\n"
        html +=
            "<tr id=\"heading\"><th class=\"colname\">Name</th><th class=\"colsize\">Size</th>"
            + "<th class=\"coldate\">Date</th></tr>\n"
        if !folder.isEmpty {
            html +=
                "<tr id=\"parent\" class=\"item\"><td class=\"colname\"><a href=\"../\">../</a></td>"
                + "<td class=\"colsize\">&nbsp;</td><td class=\"coldate\">&nbsp;</td></tr>\n"
        }
        for entry in entries where entry.name != folder { html += row(entry, below: folder.count) }
        html += "</table>\n</body>\n</html>\n"
        return .text(html, type: "text/html; charset=UTF-8")
    }

    private static func row(_ entry: ListedObject, below folder: Int) -> String {
        let name = String(decoding: entry.name.dropFirst(folder), as: UTF8.self)
        // A colon in front of the first slash would make a scheme of it.
        let link = "<a href=\"./\(XMLWriter.escaped(PercentEncoding.encode(name)))\">\(XMLWriter.escaped(name))</a>"
        guard case .object(_, let summary) = entry else {
            return "<tr class=\"item subdir\"><td class=\"colname\">\(link)</td><td class=\"colsize\">&nbsp;</td>"
                + "<td class=\"coldate\">&nbsp;</td></tr>\n"
        }
        let type = summary.contentType.split(separator: "/").map { "type-" + XMLWriter.escaped(String($0)) }
        return "<tr class=\"item \(type.joined(separator: " "))\"><td class=\"colname\">\(link)</td>"
            + "<td class=\"colsize\">\(summary.size)</td>"
            + "<td class=\"coldate\">\(SwiftHeaders.listed(summary.modifiedMilliseconds).prefix(19))</td></tr>\n"
    }
}
