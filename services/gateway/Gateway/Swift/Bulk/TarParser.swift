import Model
import NIOCore

/// Takes a tar archive apart as it comes: ustar, with long names of GNU and extended headers of pax.
///
/// Pure: bytes are appended, events are taken. Keeps no more than one block, or one extended header.
struct TarParser {
    struct Entry: Sendable, Equatable {
        var name: [UInt8]
        var size: UInt64
        /// Directories, links and devices are none.
        var isFile: Bool
        /// Of extended headers, without `path` and `size`.
        var attributes: [String: String] = [:]
    }

    enum Event: Sendable, Equatable {
        /// Append more bytes and ask again.
        case needsMore
        case entry(Entry)
        /// Bytes of the entry that began last.
        case data(ByteBuffer)
        case endOfEntry
        case end
    }

    enum Fault: String, Error {
        case notTar = "file could not be opened successfully"
        case badHeader = "bad checksum"
        case extensionTooLarge = "an extended header is too large"
        case truncated = "unexpected end of data"
    }

    private enum State {
        case header
        /// The next header's name or attributes; `global`: those of all entries from here.
        case extended(kind: UInt8, left: UInt64, padding: Int)
        case content(left: UInt64, padding: Int)
        case padding(Int)
        case finished
    }

    static let blockSize = 512
    static let extensionSizeMax: UInt64 = 1 << 20

    private var state = State.header
    private var buffer = ByteBuffer()
    private var collected: [UInt8] = []
    private var longName: [UInt8]?
    private var attributes: [String: [UInt8]] = [:]
    private var globalAttributes: [String: [UInt8]] = [:]
    private var hasBegun = false

    /// Whether an archive may end here: at its end mark, or where a header would begin.
    var mayEnd: Bool {
        switch state {
        case .header: buffer.readableBytes == 0 && hasBegun
        case .finished: true
        default: false
        }
    }

    mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 { buffer = bytes } else { buffer.writeImmutableBuffer(bytes) }
    }

    mutating func next() throws(Fault) -> Event {
        while true {
            switch state {
            case .header:
                guard let block = buffer.readBytes(length: Self.blockSize) else { return .needsMore }
                if let entry = try begin(block) { return .entry(entry) }
            case .extended(let kind, let left, let padding):
                guard left > 0 else {
                    try take(kind)
                    state = .padding(padding)
                    continue
                }
                guard let bytes = read(left) else { return .needsMore }
                collected += bytes.readableBytesView
                state = .extended(kind: kind, left: left - UInt64(bytes.readableBytes), padding: padding)
            case .content(let left, let padding):
                guard left > 0 else {
                    state = .padding(padding)
                    return .endOfEntry
                }
                guard let bytes = read(left) else { return .needsMore }
                state = .content(left: left - UInt64(bytes.readableBytes), padding: padding)
                return .data(bytes)
            case .padding(let left):
                let count = min(left, buffer.readableBytes)
                buffer.moveReaderIndex(forwardBy: count)
                guard count == left else {
                    state = .padding(left - count)
                    return .needsMore
                }
                state = .header
            case .finished: return .end
            }
        }
    }

    private mutating func read(_ left: UInt64) -> ByteBuffer? {
        guard buffer.readableBytes > 0 else { return nil }
        return buffer.readSlice(length: Int(min(left, UInt64(buffer.readableBytes))))
    }

    // MARK: - Headers

    /// nil: it was no entry of its own.
    private mutating func begin(_ block: [UInt8]) throws(Fault) -> Entry? {
        guard block.contains(where: { $0 != 0 }) else {
            state = .finished
            return nil
        }
        let fault: Fault = hasBegun ? .badHeader : .notTar
        guard Self.isWhole(block), let size = Self.number(block[124..<136]) else { throw fault }
        hasBegun = true
        let kind = block[156]
        if "xXgL".utf8.contains(kind) {
            guard size <= Self.extensionSizeMax else { throw .extensionTooLarge }
            collected = []
            state = .extended(kind: kind, left: size, padding: Self.padding(size))
            return nil
        }
        return entry(block, kind, size)
    }

    private mutating func entry(_ block: [UInt8], _ kind: UInt8, _ stated: UInt64) -> Entry {
        var all = globalAttributes
        all.merge(attributes) { $1 }
        let size = all["size"].flatMap { UInt64(String(decoding: $0, as: UTF8.self)) } ?? stated
        let name = all["path"] ?? longName ?? Self.name(block)
        (attributes, longName) = ([:], nil)
        all["path"] = nil
        all["size"] = nil
        let isFile =
            (kind == 0 || kind == UInt8(ascii: "0") || kind == UInt8(ascii: "7")) && name.last != UInt8(ascii: "/")
        // Links and directories have no content, whatever they say.
        let hasContent = isFile || !"123456".utf8.contains(kind)
        let length = hasContent ? size : 0
        state = .content(left: length, padding: Self.padding(length))
        return Entry(
            name: name, size: length, isFile: isFile, attributes: all.mapValues { String(decoding: $0, as: UTF8.self) })
    }

    private mutating func take(_ kind: UInt8) throws(Fault) {
        defer { collected = [] }
        switch kind {
        case UInt8(ascii: "L"): longName = Array(collected.prefix { $0 != 0 })
        case UInt8(ascii: "g"): globalAttributes.merge(try Self.records(collected)) { $1 }
        default: attributes.merge(try Self.records(collected)) { $1 }
        }
    }

    /// `LENGTH NAME=VALUE\n`, one after the other; the length is that of the whole.
    private static func records(_ bytes: [UInt8]) throws(Fault) -> [String: [UInt8]] {
        var records: [String: [UInt8]] = [:]
        var rest = bytes[...]
        while let first = rest.first, first != 0 {
            guard let space = rest.firstIndex(of: UInt8(ascii: " ")),
                let length = Int(String(decoding: rest[..<space], as: UTF8.self)), length > space - rest.startIndex + 1,
                length <= rest.count
            else { throw .badHeader }
            let record = rest[(space + 1)..<(rest.startIndex + length)].dropLast()
            guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else { throw .badHeader }
            records[String(decoding: record[..<equals], as: UTF8.self)] = Array(record[(equals + 1)...])
            rest = rest.dropFirst(length)
        }
        return records
    }

    private static func isWhole(_ block: [UInt8]) -> Bool {
        var sum: UInt64 = 0
        for (index, byte) in block.enumerated() { sum += UInt64((148..<156).contains(index) ? 0x20 : byte) }
        return number(block[148..<156]) == sum
    }

    /// Octal digits, or big-endian binary after a byte with its highest bit set.
    private static func number(_ field: ArraySlice<UInt8>) -> UInt64? {
        if let first = field.first, first & 0x80 != 0 {
            guard first == 0x80, field.dropFirst().dropLast(8).allSatisfy({ $0 == 0 }) else { return nil }
            return field.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
        }
        let digits = field.filter { $0 != 0 && $0 != UInt8(ascii: " ") }
        if digits.isEmpty { return 0 }
        return UInt64(String(decoding: digits, as: UTF8.self), radix: 8)
    }

    private static func name(_ block: [UInt8]) -> [UInt8] {
        func text(_ range: Range<Int>) -> [UInt8] { Array(block[range].prefix { $0 != 0 }) }
        let name = text(0..<100)
        guard Array(block[257..<263]) == Array("ustar\0".utf8) else { return name }
        let prefix = text(345..<500)
        return prefix.isEmpty ? name : prefix + [UInt8(ascii: "/")] + name
    }

    private static func padding(_ size: UInt64) -> Int { Int((512 - size % 512) % 512) }
}
