import Model
import Wire

/// One request for bytes of content.
enum ContentPiece: Sendable, Equatable {
    case chunk(ChunkName, offset: Int, length: Int)
    /// Of the blob beside the register.
    case beside(offset: Int, length: Int)

    var chunk: ChunkName? { if case .chunk(let name, _, _) = self { name } else { nil } }
}

/// The pieces that a range of an object is made of, in order. Computed one by one: an object may have millions.
struct ContentPieces: Sequence, IteratorProtocol, Sendable {
    private let blobs: [BlobReference]
    private var index = 0
    /// Of the next byte, in the present blob.
    private var offset: UInt64
    private var left: UInt64
    /// Of the blob of the last piece: behind its last chunk that is wanted.
    private(set) var chunksEnd: UInt32 = 0

    init(of blobs: [BlobReference], range: Range<UInt64>) {
        self.blobs = blobs
        offset = range.lowerBound
        left = range.upperBound - range.lowerBound
    }

    mutating func next() -> ContentPiece? {
        while left > 0, index < blobs.count {
            let blob = blobs[index]
            guard offset < blob.size else {
                offset -= blob.size
                index += 1
                continue
            }
            return piece(of: blob)
        }
        return nil
    }

    private mutating func piece(of blob: BlobReference) -> ContentPiece? {
        // A reference of our own making has a valid id; one that has not ends the stream, which the front notices.
        guard let id = BlobID(blob.id) else { return nil }
        let size = UInt64(blob.chunkSize)
        let within = size == 0 ? offset : offset % size
        let available = size == 0 ? blob.size - offset : Swift.min(size - within, blob.size - offset)
        let length = Swift.min(available, left)
        let number = size == 0 ? 0 : offset / size
        let end = Swift.min(blob.size, offset + left)
        offset += length
        left -= length
        guard size > 0 else { return .beside(offset: Int(within), length: Int(length)) }
        guard let number = UInt32(exactly: number) else { return nil }
        chunksEnd = UInt32(clamping: (end - 1) / size + 1)
        return .chunk(ChunkName(blob: id, index: number), offset: Int(within), length: Int(length))
    }
}
