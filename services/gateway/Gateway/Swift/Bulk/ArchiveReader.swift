import Compression
import NIOCore
import S3Protocol

/// The entries of an archive that is the body of a request, one after the other. One task reads it.
final class ArchiveReader: @unchecked Sendable {
    private let body: RequestBody
    private let decompressor: (any Decompressor)?
    private var parser = TarParser()
    private var isInEntry = false
    /// What was wrong with the archive, when reading it has failed.
    private(set) var fault: String?

    private static let pieceSize = 128 << 10

    /// nil: there is no such format.
    init?(format: String, _ body: RequestBody) {
        switch format {
        case "tar": decompressor = nil
        case "tar.gz": decompressor = GzipDecompressor()
        case "tar.bz2": decompressor = BZip2Decompressor()
        default: return nil
        }
        self.body = body
    }

    /// nil: there are no more, and the body has been read to its end.
    func nextEntry() async throws(S3Error) -> TarParser.Entry? {
        while isInEntry { _ = try await nextBytes() }
        while true {
            switch try await nextEvent() {
            case .entry(let entry):
                isInEntry = true
                return entry
            case .end:
                while try await body.next() != nil {}
                return nil
            case .needsMore, .data, .endOfEntry: break
            }
        }
    }

    /// Of the entry that was found last; nil at its end.
    func nextBytes() async throws(S3Error) -> ByteBuffer? {
        while isInEntry {
            switch try await nextEvent() {
            case .data(let bytes): return bytes
            case .endOfEntry, .end, .entry: isInEntry = false
            case .needsMore: break
            }
        }
        return nil
    }

    private func nextEvent() async throws(S3Error) -> TarParser.Event {
        let event: TarParser.Event
        do throws(TarParser.Fault) { event = try parser.next() } catch { throw failed(error.rawValue) }
        guard event == .needsMore else { return event }
        guard let bytes = try await nextContent() else {
            guard parser.mayEnd else { throw failed(TarParser.Fault.truncated.rawValue) }
            return .end
        }
        parser.append(bytes)
        return event
    }

    private func nextContent() async throws(S3Error) -> ByteBuffer? {
        guard let decompressor else { return try await body.next() }
        while true {
            do throws(DecompressionError) {
                if let bytes = try decompressor.next(limit: Self.pieceSize) { return bytes }
            } catch { throw failed("invalid compressed data") }
            guard let bytes = try await body.next() else {
                guard decompressor.isAtEnd else {
                    throw failed("Compressed file ended before the end-of-stream marker was reached")
                }
                return nil
            }
            decompressor.append(bytes)
        }
    }

    private func failed(_ fault: String) -> S3Error {
        self.fault = fault
        return S3Error(.invalidRequest, fault)
    }
}

/// The entry of an archive that is being read, as content of an object.
struct ArchiveContent: BodySource {
    let reader: ArchiveReader

    func next() async throws(S3Error) -> ByteBuffer? { try await reader.nextBytes() }
}
