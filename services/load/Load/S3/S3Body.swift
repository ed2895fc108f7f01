import Checksums
import Model
import NIOCore

/// What a request carries.
enum S3Body: Sendable {
    case nothing
    /// A piece of an object's content, made as it is sent.
    case content(ObjectContent, Range<Int>)
    case document(String)

    static func whole(_ content: ObjectContent) -> S3Body { .content(content, 0..<content.size) }

    var size: Int {
        switch self {
        case .nothing: 0
        case .content(_, let range): range.count
        case .document(let text): text.utf8.count
        }
    }

    /// Writes the bytes from `offset` on.
    func fill(_ target: UnsafeMutableRawBufferPointer, from offset: Int) {
        switch self {
        case .nothing: break
        case .content(let content, let range): content.fill(target, from: range.lowerBound + offset)
        case .document(let text): target.copyBytes(from: text.utf8.dropFirst(offset).prefix(target.count))
        }
    }

    /// SHA-256 in hex digits, as signatures want it.
    var digest: String {
        let hasher = Hasher(.sha256)
        withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 8) { space in
            for offset in stride(from: 0, to: size, by: space.count) {
                let piece = UnsafeMutableRawBufferPointer(rebasing: space[..<min(space.count, size - offset)])
                fill(piece, from: offset)
                hasher.update(UnsafeRawBufferPointer(piece))
            }
        }
        return hexDigits(of: hasher.finish())
    }
}
