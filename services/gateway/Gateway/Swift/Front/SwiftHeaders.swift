import NIOHTTP1
import S3Protocol
import Wire

/// Headers of accounts, containers and objects: limits, and how they are stored and shown.
enum SwiftHeaders {
    static let nameMax = 128
    static let valueMax = 256
    static let countMax = 90
    static let overallMax = 4096

    /// What follows the prefix in the names of the headers that have it, lower case, with their values.
    ///
    /// Throws 400 beyond the limits that `/info` tells.
    static func metadata(_ headers: HTTPHeaders, prefix: String) throws(SwiftError) -> [(name: String, value: String)] {
        var found: [(name: String, value: String)] = []
        for (name, value) in headers {
            let name = name.lowercased()
            guard name.hasPrefix(prefix) else { continue }
            let short = String(name.dropFirst(prefix.count))
            guard !short.isEmpty else { throw SwiftError(400, "Metadata name cannot be empty") }
            guard short.utf8.count <= nameMax else {
                throw SwiftError(400, "Metadata name too long: \(titled(prefix + short))")
            }
            guard value.utf8.count <= valueMax else {
                throw SwiftError(400, "Metadata value longer than \(valueMax): \(titled(prefix + short))")
            }
            guard !found.contains(where: { $0.name == short }) else { continue }
            found.append((short, value))
        }
        try check(found)
        return found
    }

    static func check(_ metadata: [(name: String, value: String)]) throws(SwiftError) {
        guard metadata.count <= countMax else {
            throw SwiftError(400, "Too many metadata items; max \(countMax)")
        }
        guard metadata.reduce(0, { $0 + $1.name.utf8.count + $1.value.utf8.count }) <= overallMax else {
            throw SwiftError(400, "Total metadata too large; max \(overallMax)")
        }
    }

    /// `x-object-meta-color` → `X-Object-Meta-Color`, as Swift writes names.
    static func titled(_ name: String) -> String {
        var titled: [UInt8] = []
        var isStart = true
        for byte in name.utf8 {
            let isLetter = (0x61...0x7A).contains(byte | 0x20)
            titled.append(isLetter ? (isStart ? byte & 0xDF : byte | 0x20) : byte)
            isStart = !isLetter
        }
        return String(decoding: titled, as: UTF8.self)
    }

    /// Seconds with 5 decimals, 10 digits before the dot.
    static func timestamp(_ milliseconds: Int64) -> String {
        let seconds = String(milliseconds / 1000)
        let rest = String(milliseconds % 1000)
        return String(repeating: "0", count: max(0, 10 - seconds.count)) + seconds + "."
            + String(repeating: "0", count: 3 - rest.count) + rest + "00"
    }

    /// `Last-Modified` is rounded up.
    static func lastModifiedSeconds(_ milliseconds: Int64) -> Int64 { (milliseconds + 999) / 1000 }

    /// As listings show times: microseconds, no zone.
    static func listed(_ milliseconds: Int64) -> String {
        HTTPDate.iso8601(milliseconds: milliseconds).dropLast() + "000"
    }

    // MARK: - What POST and PUT change

    /// The changes that a request asks for to the headers of an account or container; an empty value removes one.
    static func changes(
        _ headers: HTTPHeaders, kind: String, others: [String]
    ) throws(SwiftError) -> [SwiftHeader] {
        var changes: [SwiftHeader] = []
        for (name, _) in try metadata(headers, prefix: "x-remove-\(kind)-meta-") {
            changes.append(SwiftHeader(name: "x-\(kind)-meta-" + name, value: ""))
        }
        for other in others where headers.contains(name: "x-remove-" + other.dropFirst(2)) {
            changes.append(SwiftHeader(name: other, value: ""))
        }
        let set = try metadata(headers, prefix: "x-\(kind)-meta-")
            .map { SwiftHeader(name: "x-\(kind)-meta-" + $0.name, value: $0.value) }
        let rest = others.compactMap { name in
            headers.first(name: name).map { SwiftHeader(name: name, value: $0) }
        }
        // What is set in the same request is not removed.
        let names = Set((set + rest).map(\.name))
        return changes.filter { !names.contains($0.name) } + set + rest
    }

    /// What the headers would be: checked against the limits before a manager is asked.
    static func checkMerged(_ present: [SwiftHeader], _ changes: [SwiftHeader], kind: String) throws(SwiftError) {
        var values = Dictionary(present.map { ($0.name, $0.value) }) { first, _ in first }
        for change in changes { values[change.name] = change.value.isEmpty ? nil : change.value }
        let prefix = "x-\(kind)-meta-"
        try check(values.filter { $0.key.hasPrefix(prefix) }.map { (String($0.key.dropFirst(prefix.count)), $0.value) })
    }
}
