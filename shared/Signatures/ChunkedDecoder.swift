import Checksums
import Model
import NIOCore
import S3Protocol

/// Takes the framing of an aws-chunked body off.
///
/// A pure state machine: give it bytes as they come with ``append(_:)``, take events with ``next()`` until it needs more,
/// and say with ``finish()`` that no more will come. A signed chunk is released whole, after its signature was verified;
/// unsigned bytes are released as they come. After an error it throws the same error for ever.
public struct ChunkedDecoder: Sendable {
    public enum Event: Sendable, Equatable {
        case data(ByteBuffer)
        case needsMore
        /// The last chunk and the trailer are read and verified.
        case end
    }

    /// A signed chunk waits in memory for its last byte. SDKs send 64 or 128 KiB.
    public static let signedChunkSizeMax: UInt64 = 1 << 20
    static let chunkLineSizeMax = 256
    static let trailerSizeMax = 8 << 10
    static let trailersMax = 16

    private enum State {
        /// Before the line that tells a chunk's size and signature.
        case chunkLine
        case signedChunk(size: Int, signature: String)
        case unsignedChunk(remaining: UInt64)
        /// Before the line end that closes a chunk.
        case chunkEnd
        case trailer
        case end
        case failed(S3Error)
    }

    private var state = State.chunkLine
    private var pending = ByteBuffer()
    private var signer: ChunkSigner?
    private let hasTrailer: Bool
    private let declared: Set<String>
    private let decodedLength: UInt64
    private var decoded: UInt64 = 0
    private var trailerSize = 0

    /// The trailer's fields, names in lower case, in the order of the body. Complete after ``Event/end``.
    public private(set) var trailers: [(name: String, value: String)] = []

    /// - Parameters:
    ///   - signer: Present when chunks are signed.
    ///   - trailerNames: The names that `x-amz-trailer` announces, nil when the mode has no trailer.
    ///   - decodedLength: `x-amz-decoded-content-length`.
    public init(signer: ChunkSigner?, trailerNames: [String]?, decodedLength: UInt64) {
        self.signer = signer
        hasTrailer = trailerNames != nil
        declared = Set((trailerNames ?? []).map { $0.lowercased() })
        self.decodedLength = decodedLength
    }

    // MARK: - Events

    public mutating func append(_ bytes: ByteBuffer) {
        if pending.readableBytes == 0 {
            pending = bytes
        } else {
            pending.discardReadBytes()
            pending.writeImmutableBuffer(bytes)
        }
    }

    public mutating func next() throws(S3Error) -> Event {
        do {
            return try step()
        } catch {
            state = .failed(error)
            pending = ByteBuffer()
            throw error
        }
    }

    /// No more bytes will come: throws unless the body ended properly.
    public func finish() throws(S3Error) {
        switch state {
        case .end where pending.readableBytes == 0: return
        case .end: throw Self.malformed("bytes follow the end of the chunked body")
        case .failed(let error): throw error
        default: throw S3Error(.incompleteBody)
        }
    }

    // MARK: - States

    private mutating func step() throws(S3Error) -> Event {
        while true {
            switch state {
            case .chunkLine:
                guard let line = try line(limit: Self.chunkLineSizeMax, strict: true) else { return .needsMore }
                try begin(line)
            case .signedChunk(let size, let signature):
                guard let chunk = pending.readSlice(length: size) else { return .needsMore }
                try verify(signature, chunk)
                state = .chunkEnd
                return .data(chunk)
            case .unsignedChunk(let remaining):
                guard pending.readableBytes > 0 else { return .needsMore }
                let count = min(remaining, UInt64(pending.readableBytes))
                let bytes = pending.readSlice(length: Int(count))!
                state = count == remaining ? .chunkEnd : .unsignedChunk(remaining: remaining - count)
                return .data(bytes)
            case .chunkEnd:
                guard let line = try line(limit: 2, strict: true) else { return .needsMore }
                guard line.isEmpty else { throw Self.malformed("a chunk is longer than its size") }
                state = .chunkLine
            case .trailer:
                guard let line = try line(limit: Self.trailerSizeMax - trailerSize, strict: !hasTrailer) else {
                    return .needsMore
                }
                try take(trailer: line)
            case .end:
                guard pending.readableBytes == 0 else {
                    throw Self.malformed("bytes follow the end of the chunked body")
                }
                return .end
            case .failed(let error): throw error
            }
        }
    }

    /// `SIZE` or `SIZE;chunk-signature=SIGNATURE`.
    private mutating func begin(_ line: String) throws(S3Error) {
        let parts = line.split(separator: ";", omittingEmptySubsequences: false)
        guard (1...16).contains(parts[0].utf8.count), parts[0].utf8.allSatisfy({ hexValue($0) != nil }),
            let size = UInt64(parts[0], radix: 16)
        else { throw Self.malformed("a chunk has no size") }
        guard size <= decodedLength - decoded else {
            throw S3Error(.incompleteBody, "The chunks are longer than x-amz-decoded-content-length.")
        }
        decoded += size
        let signature = try signature(parts.dropFirst())
        if size == 0 {
            guard decoded == decodedLength else {
                throw S3Error(.incompleteBody, "The chunks are shorter than x-amz-decoded-content-length.")
            }
            try verify(signature, ByteBuffer())
            state = .trailer
        } else if signer != nil {
            guard size <= Self.signedChunkSizeMax else {
                throw S3Error(.invalidChunkSize, "A signed chunk may have 1 MiB.")
            }
            state = .signedChunk(size: Int(size), signature: signature)
        } else {
            state = .unsignedChunk(remaining: size)
        }
    }

    private func signature(_ extensions: some RandomAccessCollection<Substring>) throws(S3Error) -> String {
        guard signer != nil else {
            guard extensions.isEmpty else { throw Self.malformed("an unsigned chunk has an extension") }
            return ""
        }
        let prefix = "chunk-signature="
        guard extensions.count == 1, let text = extensions.first, text.hasPrefix(prefix) else {
            throw Self.malformed("a chunk has no signature")
        }
        return String(text.dropFirst(prefix.count))
    }

    private mutating func verify(_ signature: String, _ chunk: ByteBuffer) throws(S3Error) {
        guard let expected = signer?.sign(chunk: chunk) else { return }
        try Self.compare(signature, expected)
    }

    /// A line of the trailer; an empty one ends it.
    ///
    /// minio-go puts an empty line before the trailer's signature and ends its lines with a bare newline, so both are
    /// taken: what ends a signed trailer is the empty line after the signature.
    private mutating func take(trailer line: String) throws(S3Error) {
        let awaitsSignature = hasTrailer && signer != nil
        let signatureName = "x-amz-trailer-signature"
        let isSigned = trailers.last?.name == signatureName
        if line.isEmpty {
            if !awaitsSignature || isSigned {
                trailers.removeAll { $0.name == signatureName }
                try checkDeclared()
                state = .end
            } else if trailers.isEmpty {
                throw S3Error(.malformedTrailer)
            }
            return
        }
        guard hasTrailer, !isSigned, trailers.count < Self.trailersMax, let colon = line.firstIndex(of: ":") else {
            throw S3Error(.malformedTrailer)
        }
        let name = line[..<colon].lowercased()
        let value = String(line[line.index(after: colon)...]).trimmed
        if awaitsSignature, name == signatureName {
            let lines = trailers.map { "\($0.name):\($0.value)\n" }.joined()
            try Self.compare(value, signer!.sign(trailer: lines))
        } else {
            guard declared.contains(name), !trailers.contains(where: { $0.name == name }) else {
                throw S3Error(.malformedTrailer)
            }
        }
        trailers.append((name, value))
    }

    private func checkDeclared() throws(S3Error) {
        guard trailers.count == declared.count else { throw S3Error(.malformedTrailer) }
    }

    // MARK: - Bytes

    /// The next line without its end; nil when it is not there yet. `limit` counts the line end.
    private mutating func line(limit: Int, strict: Bool) throws(S3Error) -> String? {
        let window = pending.readableBytesView.prefix(limit)
        guard let end = window.firstIndex(of: newline) else {
            guard window.count < limit else { throw Self.malformed("a line is too long") }
            return nil
        }
        var bytes = window[window.startIndex..<end]
        let size = bytes.count + 1
        if bytes.last == UInt8(ascii: "\r") {
            bytes = bytes.dropLast()
        } else if strict {
            throw Self.malformed("a line does not end with CRLF")
        }
        let text = String(validating: bytes, as: UTF8.self)
        pending.moveReaderIndex(forwardBy: size)
        if !strict { trailerSize += size }
        guard let text else { throw Self.malformed("a line is not text") }
        return text
    }

    private static func compare(_ signature: String, _ expected: String) throws(S3Error) {
        guard constantTimeEqual(Array(signature.utf8), Array(expected.utf8)) else {
            throw S3Error(.signatureDoesNotMatch)
        }
    }

    private static func malformed(_ reason: String) -> S3Error {
        S3Error(.invalidRequest, "The aws-chunked body is malformed: \(reason).")
    }
}
