import NIOCore

/// Frames a body as aws-chunked: for the load tool and for tests.
public struct ChunkedEncoder {
    private var signer: ChunkSigner?

    /// - Parameter signer: nil for unsigned chunks.
    public init(signer: ChunkSigner?) { self.signer = signer }

    /// One chunk. Must not be empty: an empty chunk is the last.
    public mutating func chunk(_ bytes: ByteBuffer) -> ByteBuffer {
        var out = ByteBuffer()
        out.writeString(head(bytes))
        out.writeImmutableBuffer(bytes)
        out.writeString("\r\n")
        return out
    }

    /// The last chunk, and the trailer when there is one.
    public mutating func end(trailer: [(name: String, value: String)] = []) -> ByteBuffer {
        var out = ByteBuffer(string: head(ByteBuffer()))
        for field in trailer { out.writeString("\(field.name):\(field.value)\r\n") }
        if !trailer.isEmpty, signer != nil {
            let signature = signer!.sign(trailer: trailer.map { "\($0.name):\($0.value)\n" }.joined())
            out.writeString("x-amz-trailer-signature:\(signature)\r\n")
        }
        out.writeString("\r\n")
        return out
    }

    private mutating func head(_ chunk: ByteBuffer) -> String {
        let size = String(chunk.readableBytes, radix: 16)
        guard let signature = signer?.sign(chunk: chunk) else { return "\(size)\r\n" }
        return "\(size);chunk-signature=\(signature)\r\n"
    }
}
