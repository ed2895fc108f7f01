import NIOCore
import NIOHTTP1
import S3Protocol
import Synchronization

/// A form that a browser posts: its fields up to the file, and the file as it comes.
final class PostForm: Sendable {
    /// AWS's limit for everything before the file.
    static let fieldsSizeMax = 20 << 10

    /// By name in lower case, with `${filename}` filled in.
    let fields: [String: String]
    /// The content of the file.
    let file: FormFile

    private init(fields: [String: String], file: FormFile) {
        self.fields = fields
        self.file = file
    }

    /// Reads up to the first byte of the file.
    static func read(_ body: RequestBody, _ headers: HTTPHeaders) async throws(S3Error) -> PostForm {
        guard var parser = headers.first(name: "content-type").flatMap(FormDataParser.init(contentType:)) else {
            throw S3Error(
                .preconditionFailed,
                fields: [.init("Condition", "Bucket POST must be of the enclosure-type multipart/form-data")])
        }
        var fields: [String: String] = [:]
        var (name, value, size) = ("", ByteBuffer(), 0)
        while true {
            switch try parser.next() {
            case .needsMore:
                guard let bytes = try await body.next() else { throw S3Error(.malformedPOSTRequest) }
                parser.append(bytes)
            case .part(let part):
                name = part.name.lowercased()
                value.clear()
                guard name == "file" else { continue }
                return PostForm(
                    fields: filled(fields, part.filename ?? ""), file: FormFile(parser, body))
            case .data(var bytes):
                size += bytes.readableBytes + name.utf8.count
                guard size <= fieldsSizeMax else { throw S3Error(.maxPostPreDataLengthExceeded) }
                value.writeBuffer(&bytes)
            case .endOfPart:
                guard let text = value.getString(at: value.readerIndex, length: value.readableBytes) else { continue }
                guard fields.updateValue(text, forKey: name) == nil else {
                    throw S3Error.invalidArgument(
                        "POST requires exactly one value for each field.", name: name, value: "")
                }
            case .end: throw S3Error(.incorrectNumberOfFiles)
            }
        }
    }

    private static func filled(_ fields: [String: String], _ path: String) -> [String: String] {
        // Some browsers tell the whole path on the user's machine.
        let name = path.split(whereSeparator: { $0 == "/" || $0 == "\\" }).last.map(String.init) ?? ""
        return fields.mapValues { $0.replacing("${filename}", with: name) }
    }

    // MARK: - What the fields mean

    private static let content: Set = [
        "cache-control", "content-type", "content-disposition", "content-encoding", "expires",
    ]
    private static let credentials: Set = [
        "x-amz-signature", "x-amz-credential", "x-amz-algorithm", "x-amz-date", "x-amz-security-token",
    ]

    /// The headers that a PutObject would have.
    func headers() throws(S3Error) -> HTTPHeaders {
        var headers = HTTPHeaders()
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
            if Self.content.contains(name) || (name.hasPrefix("x-amz-") && !Self.credentials.contains(name)) {
                headers.add(name: name, value: value)
            }
        }
        if let acl = fields["acl"] { headers.add(name: "x-amz-acl", value: acl) }
        if let tagging = fields["tagging"] {
            let set = try TagSet(parsing: Array(tagging.utf8), countMax: TagSet.objectTagsMax)
            let pairs = set.tags.map { "\(PercentEncoding.encode($0.key))=\(PercentEncoding.encode($0.value))" }
            headers.add(name: "x-amz-tagging", value: pairs.joined(separator: "&"))
        }
        for (_, value) in headers where value.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 }) {
            throw S3Error(.invalidRequest, "A field has control characters.")
        }
        return headers
    }

    func key() throws(S3Error) -> String {
        guard let key = fields["key"], !key.isEmpty else {
            throw S3Error.invalidArgument(
                "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the "
                    + "fields.", name: "key", value: "")
        }
        return key
    }
}

/// The file of a form, up to the delimiter after it. What comes behind is thrown away.
final class FormFile: BodySource {
    private struct State {
        var parser: FormDataParser
        var lengths: ClosedRange<UInt64>?
        var length: UInt64 = 0
        var isEnded = false
    }

    private let body: RequestBody
    // Touched by the one task that reads.
    private let state: Mutex<State>

    init(_ parser: FormDataParser, _ body: RequestBody) {
        self.body = body
        state = Mutex(State(parser: parser))
    }

    /// `content-length-range`.
    func limit(to lengths: ClosedRange<UInt64>?) { state.withLock { $0.lengths = lengths } }

    func next() async throws(S3Error) -> ByteBuffer? {
        while true {
            switch try state.withLock({ state throws(S3Error) in try Self.step(&state) }) {
            case .data(let bytes): return bytes
            case .needsMore:
                guard let bytes = try await body.next() else { throw S3Error(.incompleteBody) }
                state.withLock { $0.parser.append(bytes) }
            case .part: throw S3Error(.malformedPOSTRequest)
            case .endOfPart, .end:
                // The end of the whole body is where its digests and signatures are known to be right.
                while try await body.next() != nil {}
                return nil
            }
        }
    }

    private static func step(_ state: inout State) throws(S3Error) -> FormDataParser.Event {
        guard !state.isEnded else { return .end }
        let event = try state.parser.next()
        switch event {
        case .data(let bytes):
            state.length += UInt64(bytes.readableBytes)
            if let lengths = state.lengths, state.length > lengths.upperBound {
                throw S3Error(
                    .entityTooLarge,
                    fields: [
                        .init("ProposedSize", String(state.length)),
                        .init("MaxSizeAllowed", String(lengths.upperBound)),
                    ])
            }
        case .endOfPart:
            state.isEnded = true
            if let lengths = state.lengths, state.length < lengths.lowerBound {
                throw S3Error(
                    .entityTooSmall,
                    fields: [
                        .init("ProposedSize", String(state.length)),
                        .init("MinSizeAllowed", String(lengths.lowerBound)),
                    ])
            }
        default: break
        }
        return event
    }
}
