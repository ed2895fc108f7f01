import Model
import NIOHTTP1
import S3Protocol
import Signatures

/// What a request's headers say about its body: its framing, and what must be true at its end.
struct BodyPlan: Sendable {
    var declaredLength: UInt64?
    /// Present when the body is framed as aws-chunked.
    var decoder: ChunkedDecoder?
    var contentMD5: [UInt8]?
    var sha256: [UInt8]?
    var computesMD5 = false
    /// Checksums to compute, with the value to be found when a header tells it.
    var checksums: [ChecksumAlgorithm: [UInt8]?] = [:]

    /// A plain body of known length.
    init(declaredLength: UInt64?) { self.declaredLength = declaredLength }

    /// The file of a form: its fields are its headers, nothing tells its length.
    init(form headers: HTTPHeaders) throws(S3Error) {
        computesMD5 = true
        contentMD5 = try Self.contentMD5(headers)
        checksums = try Self.checksums(headers)
    }

    init(_ operation: S3Operation, _ headers: HTTPHeaders, _ verified: VerifiedRequest) throws(S3Error) {
        let isContent = operation == .putObject || operation == .uploadPart
        let contentLength = headers.first(name: "content-length").flatMap { UInt64($0) }
        let isChunkedTransfer = headers.contains(name: "transfer-encoding")
        guard contentLength != nil || isChunkedTransfer || !isContent else { throw S3Error(.missingContentLength) }
        declaredLength = isChunkedTransfer ? nil : contentLength ?? 0
        computesMD5 = isContent
        if case .signed(let digest) = verified.payload { sha256 = digest }
        contentMD5 = try Self.contentMD5(headers)
        // The checksum headers of CompleteMultipartUpload are about the object, not about the request's body.
        if operation != .completeMultipartUpload { checksums = try Self.checksums(headers) }
        if case .streaming(_, let hasTrailer) = verified.payload {
            try setDecoder(headers, hasTrailer: hasTrailer, verified)
        } else if headers.contains(name: "x-amz-trailer") {
            throw S3Error(.invalidRequest, "x-amz-trailer needs a streaming payload with a trailer.")
        }
        if isContent, let length = declaredLength, length > Limits.putSizeMax {
            throw S3Error(
                .entityTooLarge,
                fields: [.init("ProposedSize", String(length)), .init("MaxSizeAllowed", String(Limits.putSizeMax))])
        }
    }

    private mutating func setDecoder(_ headers: HTTPHeaders, hasTrailer: Bool, _ verified: VerifiedRequest)
        throws(S3Error)
    {
        guard let text = headers.first(name: "x-amz-decoded-content-length"), let length = UInt64(text) else {
            throw S3Error(.missingContentLength)
        }
        let names = headers["x-amz-trailer"].flatMap { $0.split(separator: ",") }
            .map { $0.filter { $0 != " " }.lowercased() }
        for name in names {
            guard hasTrailer, let algorithm = ChecksumAlgorithm(header: name) else {
                throw S3Error(.invalidRequest, "The value specified in the x-amz-trailer header is not supported")
            }
            guard checksums.updateValue(nil, forKey: algorithm) == nil else {
                throw S3Error(.invalidRequest, "A checksum is given more than once.")
            }
        }
        decoder = ChunkedDecoder(
            signer: verified.chunkSigner, trailerNames: hasTrailer ? names : nil, decodedLength: length)
        declaredLength = length
    }

    private static func contentMD5(_ headers: HTTPHeaders) throws(S3Error) -> [UInt8]? {
        guard let text = headers.first(name: "content-md5") else { return nil }
        guard let digest = Base64.decode(text), digest.count == 16 else { throw S3Error(.invalidDigest) }
        return digest
    }

    private static func checksums(_ headers: HTTPHeaders) throws(S3Error) -> [ChecksumAlgorithm: [UInt8]?] {
        var checksums: [ChecksumAlgorithm: [UInt8]?] = [:]
        for (name, value) in headers {
            guard let algorithm = ChecksumAlgorithm(header: name) else { continue }
            guard let digest = Base64.decode(value), digest.count == algorithm.byteCount else {
                throw S3Error(.invalidRequest, "Value for \(name.lowercased()) header is invalid.")
            }
            checksums[algorithm] = digest
        }
        guard checksums.count <= 1 else {
            throw S3Error(
                .invalidRequest, "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
        }
        return checksums
    }
}
