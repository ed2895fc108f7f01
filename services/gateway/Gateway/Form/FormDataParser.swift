import NIOCore
import S3Protocol

/// Takes a body of `multipart/form-data` (RFC 7578) apart as it comes.
///
/// Pure: bytes are appended, events are taken. Keeps no more than the head of one part, or a delimiter.
struct FormDataParser {
    struct Part: Sendable, Equatable {
        var name: String
        /// nil: a plain field.
        var filename: String?
        var contentType: String?
    }

    enum Event: Equatable {
        /// Append more bytes and ask again.
        case needsMore
        case part(Part)
        /// Bytes of the part that began last.
        case data(ByteBuffer)
        case endOfPart
        case end
    }

    private enum State {
        case preamble, afterDelimiter, head, content, finished
    }

    static let headSizeMax = 8 << 10
    private static let lineEnd = Array("\r\n".utf8)

    private let delimiter: [UInt8]
    private var state = State.preamble
    // The first delimiter begins a line too.
    private var buffer = ByteBuffer(string: "\r\n")

    /// nil: boundaries have 1 to 70 bytes.
    init?(boundary: String) {
        guard (1...70).contains(boundary.utf8.count) else { return nil }
        delimiter = Array("\r\n--\(boundary)".utf8)
    }

    /// From the header `Content-Type`; nil when it is no form's.
    init?(contentType: String) {
        let parameters = HeaderParameters(contentType)
        guard parameters.value.lowercased() == "multipart/form-data", let boundary = parameters["boundary"] else {
            return nil
        }
        self.init(boundary: boundary)
    }

    mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 { buffer = bytes } else { buffer.writeImmutableBuffer(bytes) }
    }

    mutating func next() throws(S3Error) -> Event {
        while true {
            switch state {
            case .preamble:
                guard let found = buffer.position(of: delimiter) else {
                    guard buffer.readableBytes <= Self.headSizeMax else { throw S3Error(.malformedPOSTRequest) }
                    return .needsMore
                }
                buffer.moveReaderIndex(forwardBy: found + delimiter.count)
                state = .afterDelimiter
            case .afterDelimiter:
                guard let two = buffer.readBytes(length: 2) else { return .needsMore }
                guard two != Array("--".utf8) else {
                    state = .finished
                    continue
                }
                guard two == Self.lineEnd else { throw S3Error(.malformedPOSTRequest) }
                state = .head
            case .head:
                guard let part = try head() else { return .needsMore }
                state = .content
                return .part(part)
            case .content: return content()
            case .finished: return .end
            }
        }
    }

    private mutating func head() throws(S3Error) -> Part? {
        guard let end = buffer.position(of: Self.lineEnd + Self.lineEnd) else {
            guard buffer.readableBytes <= Self.headSizeMax else { throw S3Error(.malformedPOSTRequest) }
            return nil
        }
        guard end <= Self.headSizeMax, let text = buffer.readString(length: end) else {
            throw S3Error(.malformedPOSTRequest)
        }
        buffer.moveReaderIndex(forwardBy: 4)
        var part: Part?
        var contentType: String?
        for line in text.split(separator: "\r\n") {
            let pair = line.split(separator: ":", maxSplits: 1)
            guard pair.count == 2 else { continue }
            switch pair[0].lowercased() {
            case "content-disposition":
                let parameters = HeaderParameters(String(pair[1]))
                guard part == nil, parameters.value.lowercased() == "form-data", let name = parameters["name"] else {
                    throw S3Error(.malformedPOSTRequest)
                }
                part = Part(name: name, filename: parameters["filename"])
            case "content-type": contentType = String(pair[1].drop { $0 == " " })
            default: break
            }
        }
        guard var part else { throw S3Error(.malformedPOSTRequest) }
        part.contentType = contentType
        return part
    }

    private mutating func content() -> Event {
        if let found = buffer.position(of: delimiter) {
            guard found > 0 else {
                buffer.moveReaderIndex(forwardBy: delimiter.count)
                state = .afterDelimiter
                return .endOfPart
            }
            return .data(buffer.readSlice(length: found)!)
        }
        // The end may be the beginning of a delimiter.
        let safe = buffer.readableBytes - delimiter.count + 1
        guard safe > 0, let bytes = buffer.readSlice(length: safe) else { return .needsMore }
        return .data(bytes)
    }
}

/// The value of a header, and the parameters after it.
struct HeaderParameters {
    let value: String
    private var parameters: [String: String] = [:]

    init(_ text: String) {
        var rest = Substring(text)
        value = Self.token(&rest, until: ";")
        while rest.popFirst() != nil {
            let name = Self.token(&rest, until: "=;").lowercased()
            guard rest.first == "=" else { continue }
            rest = rest.dropFirst().drop { $0 == " " }
            let value = rest.first == "\"" ? Self.quoted(&rest) : Self.token(&rest, until: ";")
            if parameters[name] == nil { parameters[name] = value }
        }
    }

    subscript(name: String) -> String? { parameters[name] }

    private static func token(_ rest: inout Substring, until ends: String) -> String {
        let token = rest.prefix { !ends.contains($0) }
        rest = rest[token.endIndex...]
        return String(token.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }

    private static func quoted(_ rest: inout Substring) -> String {
        var text = ""
        rest = rest.dropFirst()
        while let character = rest.popFirst(), character != "\"" {
            // A backslash before anything else belongs to the text: names of files on some systems have them.
            if character == "\\", let next = rest.first, next == "\"" || next == "\\" {
                text.append(next)
                rest = rest.dropFirst()
            } else {
                text.append(character)
            }
        }
        rest = rest.drop { $0 != ";" }
        return text
    }
}

extension ByteBuffer {
    /// Offset of the first occurrence, from the first readable byte.
    fileprivate func position(of needle: [UInt8]) -> Int? {
        withUnsafeReadableBytes { bytes in
            var start = 0
            while start + needle.count <= bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[start...(bytes.count - needle.count)])
                guard let found = rest.firstIndex(of: needle[0]) else { return nil }
                let candidate = start + found
                if needle.indices.allSatisfy({ bytes[candidate + $0] == needle[$0] }) { return candidate }
                start = candidate + 1
            }
            return nil
        }
    }
}
