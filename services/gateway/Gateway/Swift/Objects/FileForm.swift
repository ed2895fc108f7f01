import NIOCore
import S3Protocol

/// A form with several files, taken apart as it comes. One task reads it.
final class FileForm: @unchecked Sendable {
    struct File: Sendable, Equatable {
        var name: String
        var contentType: String?
    }

    private static let fieldSizeMax = 4096
    private static let fieldsMax = 100

    private var parser: FormDataParser
    private let body: RequestBody
    /// By their names, those before the file that was found last.
    private(set) var fields: [String: String] = [:]
    private var isInFile = false

    init(_ parser: FormDataParser, _ body: RequestBody) {
        self.parser = parser
        self.body = body
    }

    /// nil: there are no more, and the form has been read to its end.
    func nextFile() async throws(S3Error) -> File? {
        while isInFile { _ = try await nextBytes() }
        var (name, value) = ("", ByteBuffer())
        while true {
            switch try await nextEvent() {
            case .part(let part):
                if let filename = part.filename, !filename.isEmpty {
                    isInFile = true
                    return File(name: filename, contentType: part.contentType)
                }
                (name, value) = (part.name, ByteBuffer())
            case .data(var bytes):
                value.writeBuffer(&bytes)
                guard value.readableBytes <= Self.fieldSizeMax else { throw S3Error(.maxPostPreDataLengthExceeded) }
            case .endOfPart:
                guard fields.count < Self.fieldsMax else { throw S3Error(.maxPostPreDataLengthExceeded) }
                let text = String(decoding: value.readableBytesView, as: UTF8.self)
                fields[name] = String(text.reversed().drop(while: \.isWhitespace).reversed())
            case .end:
                while try await body.next() != nil {}
                return nil
            case .needsMore: break
            }
        }
    }

    /// Of the file that was found last; nil at its end.
    func nextBytes() async throws(S3Error) -> ByteBuffer? {
        guard isInFile else { return nil }
        while true {
            switch try await nextEvent() {
            case .data(let bytes): return bytes
            case .endOfPart:
                isInFile = false
                return nil
            case .part, .end: throw S3Error(.malformedPOSTRequest)
            case .needsMore: break
            }
        }
    }

    private func nextEvent() async throws(S3Error) -> FormDataParser.Event {
        let event = try parser.next()
        guard event == .needsMore else { return event }
        guard let bytes = try await body.next() else { throw S3Error(.incompleteBody) }
        parser.append(bytes)
        return event
    }
}

/// The file of a form that is being read, as content of an object.
final class FileFormContent: BodySource, @unchecked Sendable {
    private let form: FileForm
    private let sizeMax: UInt64
    private var size: UInt64 = 0
    private(set) var isTooLarge = false

    init(_ form: FileForm, sizeMax: UInt64) {
        self.form = form
        self.sizeMax = sizeMax
    }

    func next() async throws(S3Error) -> ByteBuffer? {
        guard let bytes = try await form.nextBytes() else { return nil }
        size += UInt64(bytes.readableBytes)
        guard size <= sizeMax else {
            isTooLarge = true
            throw S3Error(.entityTooLarge)
        }
        return bytes
    }
}
