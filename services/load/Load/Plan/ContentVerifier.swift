import NIOCore

/// Compares a body, as it comes, with the version that the answer's metadata names.
struct ContentVerifier: Sendable {
    private let content: ObjectContent?
    private(set) var fault: String?
    private var received = 0

    var version: ObjectVersion? { content?.version }

    /// - Parameters:
    ///   - metadata: What the object says about its version.
    ///   - length: As the answer announces it; nil: it does not.
    init(key: String, metadata text: String?, length: String?) {
        content = text.flatMap { ObjectVersion($0) }.map { ObjectContent(key: key, version: $0) }
        if content == nil { fault = "metadata \(text ?? "absent"): not written by this tool" }
        if let content, let length, length != "\(content.size)" {
            fault = "content-length \(length) instead of \(content.size)"
        }
    }

    mutating func receive(_ bytes: ByteBuffer) {
        defer { received += bytes.readableBytes }
        guard fault == nil, let content else { return }
        let matches = bytes.withUnsafeReadableBytes { content.matches($0, at: received) }
        if !matches {
            fault = "wrong bytes in \(received)..<\(received + bytes.readableBytes) of \(content.version)"
        }
    }

    /// - Parameter hasBody: false for the answer to a HEAD.
    mutating func finish(hasBody: Bool) {
        if fault == nil, hasBody, let content, received != content.size {
            fault = "\(received) bytes instead of \(content.size)"
        }
    }
}
