import Checksums
import NIOCore
import S3Protocol
import Testing

@testable import Signatures

@Suite struct ChunkedDecoderTests {
    enum Mode: CaseIterable { case signed, signedTrailer, unsignedTrailer }

    static let crc = (name: "x-amz-checksum-crc32", value: "AAAAAA==")

    private func signer(for mode: Mode) -> ChunkSigner? {
        let scope = CredentialScope(day: "20250314", region: "us-east-1")
        guard mode != .unsignedTrailer else { return nil }
        return ChunkSigner(
            key: scope.signingKey(secret: Array("secret".utf8)), time: SigningTime("20250314T150926Z")!, scope: scope,
            seed: String(repeating: "0", count: 64))
    }

    private func encoded(_ chunks: [ByteBuffer], _ mode: Mode) -> ByteBuffer {
        var encoder = ChunkedEncoder(signer: signer(for: mode))
        var out = ByteBuffer()
        for chunk in chunks { out.writeImmutableBuffer(encoder.chunk(chunk)) }
        out.writeImmutableBuffer(encoder.end(trailer: mode == .signed ? [] : [Self.crc]))
        return out
    }

    private func decoder(_ mode: Mode, length: Int) -> ChunkedDecoder {
        ChunkedDecoder(
            signer: signer(for: mode), trailerNames: mode == .signed ? nil : [Self.crc.name],
            decodedLength: UInt64(length))
    }

    /// Feeds the pieces; answers what was released, and the error if there was one.
    private func decode(_ pieces: [ByteBuffer], with decoder: ChunkedDecoder) -> (ByteBuffer, S3Error?) {
        var decoder = decoder
        var released = ByteBuffer()
        do throws(S3Error) {
            for piece in pieces {
                decoder.append(piece)
                events: while true {
                    switch try decoder.next() {
                    case .data(let bytes): released.writeImmutableBuffer(bytes)
                    case .needsMore, .end: break events
                    }
                }
            }
            try decoder.finish()
            return (released, nil)
        } catch {
            return (released, error)
        }
    }

    private func split(_ buffer: ByteBuffer, using random: inout SplitMix) -> [ByteBuffer] {
        var rest = buffer
        var pieces: [ByteBuffer] = []
        while rest.readableBytes > 0 {
            pieces.append(rest.readSlice(length: min(rest.readableBytes, Int(random.next() % 40) + 1))!)
        }
        return pieces
    }

    private func chunks(using random: inout SplitMix) -> [ByteBuffer] {
        (0..<(random.next() % 4)).map { _ in
            ByteBuffer(bytes: (0...(random.next() % 90)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        }
    }

    @Test("however the bytes are split, the body comes out", arguments: Mode.allCases)
    func splits(mode: Mode) {
        var random = SplitMix(state: 1)
        for _ in 0..<200 {
            let chunks = chunks(using: &random)
            let body = chunks.reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1) }
            let pieces = split(encoded(chunks, mode), using: &random)
            let (released, error) = decode(pieces, with: decoder(mode, length: body.readableBytes))
            #expect(error == nil)
            #expect(released == body)
        }
    }

    @Test(
        "a signed body with any byte altered, dropped or added is refused, and no altered byte is released",
        arguments: [Mode.signed, .signedTrailer])
    func mutations(mode: Mode) {
        var random = SplitMix(state: 2)
        for _ in 0..<1500 {
            let chunks = chunks(using: &random)
            let body = chunks.reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1) }
            let original = Array(encoded(chunks, mode).readableBytesView)
            var bytes = original
            let index = Int(random.next() % UInt64(bytes.count))
            switch random.next() % 3 {
            case 0: bytes[index] ^= UInt8(1 << (random.next() % 8))
            case 1: bytes.remove(at: index)
            default: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: index)
            }
            let pieces = split(ByteBuffer(bytes: bytes), using: &random)
            let (released, error) = decode(pieces, with: decoder(mode, length: body.readableBytes))
            // Some spellings of the same thing are allowed: case of hex sizes, spaces and bare newlines in the trailer.
            if error == nil { #expect(released == body) }
            #expect(Array(body.readableBytesView).starts(with: Array(released.readableBytesView)))
            if error == nil, mode == .signed { #expect(sameButCase(bytes, original)) }
        }
    }

    private func sameButCase(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        String(decoding: a, as: UTF8.self).lowercased() == String(decoding: b, as: UTF8.self).lowercased()
    }

    @Test("an unsigned body that is altered never makes it crash, nor release more than was declared")
    func unsignedMutations() {
        var random = SplitMix(state: 3)
        for _ in 0..<2000 {
            let chunks = chunks(using: &random)
            let length = chunks.reduce(0) { $0 + $1.readableBytes }
            var bytes = Array(encoded(chunks, .unsignedTrailer).readableBytesView)
            for _ in 0...(random.next() % 3) {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            let (released, _) = decode(
                split(ByteBuffer(bytes: bytes), using: &random), with: decoder(.unsignedTrailer, length: length))
            #expect(released.readableBytes <= length)
        }
    }

    @Test("a body that ends early is incomplete", arguments: Mode.allCases)
    func truncated(mode: Mode) {
        let whole = encoded([ByteBuffer(string: "hello"), ByteBuffer(string: "world")], mode)
        for length in 0..<whole.readableBytes {
            let (_, error) = decode([whole.getSlice(at: 0, length: length)!], with: decoder(mode, length: 10))
            #expect(error?.code == .incompleteBody)
        }
    }

    @Test("what is decoded must be as long as declared", arguments: Mode.allCases)
    func declaredLength(mode: Mode) {
        let whole = encoded([ByteBuffer(string: "hello")], mode)
        for length in [4, 6, 0] {
            #expect(decode([whole], with: decoder(mode, length: length)).1?.code == .incompleteBody)
        }
    }

    @Test("bytes after the end are refused", arguments: Mode.allCases)
    func trailingBytes(mode: Mode) {
        var whole = encoded([ByteBuffer(string: "hello")], mode)
        whole.writeString("x")
        #expect(decode([whole], with: decoder(mode, length: 5)).1?.code == .invalidRequest)
    }

    @Test("sizes that are too large, endless lines and too many trailers are refused")
    func limits() {
        let signature = ";chunk-signature=" + String(repeating: "0", count: 64) + "\r\n"
        func error(_ text: String, _ mode: Mode, _ length: Int = 1 << 40) -> S3ErrorCode? {
            decode([ByteBuffer(string: text)], with: decoder(mode, length: length)).1?.code
        }
        #expect(error("100001" + signature, .signed) == .invalidChunkSize)
        #expect(error("ffffffffffffffff\r\n", .unsignedTrailer) == .incompleteBody)
        #expect(error("10000000000000000\r\n", .unsignedTrailer) == .invalidRequest)
        #expect(error("-1\r\n", .unsignedTrailer) == .invalidRequest)
        #expect(error("+1\r\n", .unsignedTrailer) == .invalidRequest)
        #expect(error("\r\n", .unsignedTrailer) == .invalidRequest)
        #expect(error("5\nhello\r\n", .unsignedTrailer) == .invalidRequest)
        #expect(error("5\r\nhelloX\r\n", .unsignedTrailer) == .invalidRequest)
        #expect(error("5" + signature, .unsignedTrailer) == .invalidRequest)
        #expect(error("5\r\n", .signed) == .invalidRequest)
        #expect(error(String(repeating: "0", count: 300), .unsignedTrailer) == .invalidRequest)
        #expect(error("0\r\n" + String(repeating: "x", count: 9000), .unsignedTrailer, 0) == .invalidRequest)
        #expect(error("0\r\nx-other: 1\r\n\r\n", .unsignedTrailer, 0) == .malformedTrailer)
        #expect(error("0\r\n\r\n", .unsignedTrailer, 0) == .malformedTrailer)
        let crc = "x-amz-checksum-crc32:AAAAAA==\r\n"
        #expect(error("0\r\n\(crc)\(crc)\r\n", .unsignedTrailer, 0) == .malformedTrailer)
        #expect(error("0\r\n\(crc)\r\n", .unsignedTrailer, 0) == nil)
    }

    @Test("a trailer whose value or signature is altered is refused; minio-go's line ends are taken")
    func trailer() {
        var text = String(buffer: encoded([ByteBuffer(string: "hello")], .signedTrailer))
        let altered = text.replacing("AAAAAA==", with: "AAAAAQ==")
        #expect(
            decode([ByteBuffer(string: altered)], with: decoder(.signedTrailer, length: 5)).1?.code
                == .signatureDoesNotMatch)
        text = text.replacing("AAAAAA==\r\n", with: "AAAAAA==\n\r\n")
        #expect(decode([ByteBuffer(string: text)], with: decoder(.signedTrailer, length: 5)).1 == nil)
        let unsigned = text.replacing(/x-amz-trailer-signature:.*\r\n/, with: "")
        #expect(decode([ByteBuffer(string: unsigned)], with: decoder(.signedTrailer, length: 5)).1 != nil)
        var announced = decoder(.unsignedTrailer, length: 0)
        announced.append(ByteBuffer(string: "0\r\nX-Amz-Checksum-CRC32: AAAAAA== \r\n\r\n"))
        #expect(throws: Never.self) { try announced.next() }
        #expect(announced.trailers.first?.value == "AAAAAA==")
    }
}

/// A small seeded generator.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
