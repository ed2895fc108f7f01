import Model
import NIOHTTP1

/// What a listing of an account or container is to show.
struct ListingQuery: Sendable {
    static let limitMax = 10_000

    var format: ListingFormat
    var limit: Int
    var marker: [UInt8]
    var endMarker: [UInt8]
    var prefix: [UInt8]
    var delimiter: [UInt8]
    /// Entries of one pseudo directory only, without what is below.
    var path: [UInt8]?
    var isReverse: Bool

    init(_ request: SwiftRequest) throws(SwiftError) {
        func bytes(_ name: String) -> [UInt8] { Array((request.query[name] ?? "").utf8) }
        format = try ListingFormat(request)
        // What is no number is no limit.
        limit = request.query["limit"].flatMap { Int($0) } ?? Self.limitMax
        if limit < 0 { limit = Self.limitMax }
        guard limit <= Self.limitMax else { throw SwiftError(412, "Maximum limit is \(Self.limitMax)") }
        isReverse = SwiftRequest.isTrue(request.query["reverse"])
        (marker, endMarker) = (bytes("marker"), bytes("end_marker"))
        (prefix, delimiter) = (bytes("prefix"), bytes("delimiter"))
        if request.query["path"] != nil {
            var directory = bytes("path")
            if directory.last != UInt8(ascii: "/"), !directory.isEmpty { directory.append(UInt8(ascii: "/")) }
            (path, prefix, delimiter) = (directory, directory, [UInt8(ascii: "/")])
        }
    }

    var direction: ListDirection { isReverse ? .backward : .forward }

    /// Whether the listing has not come to the end marker with this name.
    func isBeforeEnd(_ name: [UInt8]) -> Bool { endMarker.isEmpty || direction.precedes(name, endMarker) }

    /// Only names between these belong to the listing, both excluded; empty: no bound.
    var lowerBound: [UInt8] { isReverse ? endMarker : marker }
    var upperBound: [UInt8] { isReverse ? marker : endMarker }

    func isBelowUpperBound(_ name: [UInt8]) -> Bool { upperBound.isEmpty || name.lexicographicallyPrecedes(upperBound) }

    /// Names that have this after the prefix are rolled up into it.
    func subdirectory(of name: [UInt8]) -> [UInt8]? {
        guard !delimiter.isEmpty, let found = name.dropFirst(prefix.count).firstRange(of: delimiter) else { return nil }
        return Array(name[..<found.upperBound])
    }

    enum Entry<Value> {
        case entry([UInt8], Value)
        case subdirectory([UInt8])
    }

    /// A page of what is at hand.
    func page<Value>(of all: [(name: [UInt8], value: Value)]) -> [Entry<Value>] {
        var sorted = all.filter { name, _ in
            name.starts(with: prefix) && (lowerBound.isEmpty || lowerBound.lexicographicallyPrecedes(name))
                && isBelowUpperBound(name)
        }.sorted { $0.name.lexicographicallyPrecedes($1.name) }
        if isReverse { sorted.reverse() }
        var page: [Entry<Value>] = []
        var last: [UInt8]?
        for (name, value) in sorted where page.count < limit {
            guard let directory = subdirectory(of: name) else {
                page.append(.entry(name, value))
                continue
            }
            // The marker was this very subdirectory: it was on the page before.
            if directory != last, directory != marker, path == nil { page.append(.subdirectory(directory)) }
            last = directory
        }
        return page
    }
}

/// How a listing is written.
enum ListingFormat: Sendable, Equatable {
    case plain
    case json
    case xml

    /// By `?format=`, else by what the client accepts.
    init(_ request: SwiftRequest) throws(SwiftError) {
        switch request.query["format"]?.lowercased() {
        case "json": self = .json
        case "xml": self = .xml
        case "plain": self = .plain
        default:
            guard let accept = request.header("accept"), !accept.isEmpty else {
                self = .plain
                return
            }
            guard let format = Self.best(accept) else { throw SwiftError(406) }
            self = format
        }
    }

    private static let types: [(type: String, format: ListingFormat)] = [
        ("text/plain", .plain), ("application/json", .json), ("application/xml", .xml), ("text/xml", .xml),
    ]

    /// The one with the highest quality; of several, the first that we name.
    private static func best(_ accept: String) -> ListingFormat? {
        var best: (format: ListingFormat, quality: Double)?
        let ranges = accept.split(separator: ",").map { range -> (String, Double) in
            let parts = range.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            return (parts.first ?? "", quality)
        }
        for (type, format) in types {
            let family = type.prefix { $0 != "/" } + "/*"
            // The most exact range decides.
            let quality =
                ranges.first { $0.0 == type }?.1 ?? ranges.first { $0.0 == family }?.1
                ?? ranges.first { $0.0 == "*/*" || $0.0 == "*" }?.1 ?? 0
            if quality > 0, quality > best?.quality ?? 0 { best = (format, quality) }
        }
        return best?.format
    }

    var contentType: String {
        switch self {
        case .plain: "text/plain; charset=utf-8"
        case .json: "application/json; charset=utf-8"
        case .xml: "application/xml; charset=utf-8"
        }
    }
}
