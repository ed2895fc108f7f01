import Glibc

/// Writes the records of a batch with one `pwritev`: heads from a buffer that is reused, payloads from where they are.
struct BatchWriter {
    let seed: UInt32
    private var heads: [UInt8] = []
    private var pieces: [iovec] = []

    init(seed: UInt32) { self.seed = seed }

    /// The records follow each other in one segment.
    mutating func write(_ batch: [ObjectLog.Pending], durable: LogPosition) throws(FileError) {
        guard let first = batch.first else { return }
        composeHeads(of: batch, durable: durable)
        var failure: FileError?
        heads.withUnsafeMutableBytes { memory in
            Self.collect(&pieces, of: batch, heads: memory)
            pieces.withUnsafeBufferPointer { pieces in
                do throws(FileError) {
                    try first.segment.file.write(pieces, at: Int(first.header.position.offset))
                } catch {
                    failure = error
                }
            }
        }
        if let failure { throw failure }
    }

    /// Head and padding of every record, one behind the other.
    private mutating func composeHeads(of batch: [ObjectLog.Pending], durable: LogPosition) {
        let size = batch.reduce(0) { $0 + $1.header.alignedSize - $1.header.payloadLength }
        if heads.count < size { heads = [UInt8](repeating: 0, count: max(size, 64 << 10)) }
        heads.withUnsafeMutableBytes { memory in
            var offset = 0
            for pending in batch {
                var header = pending.header
                header.durable = durable
                let headSize = RecordHeader.size + header.headLength
                header.write(
                    to: UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + headSize]),
                    head: pending.entry.head, seed: seed)
                offset += headSize
                for _ in 0..<header.alignedSize - header.recordSize {
                    memory[offset] = 0
                    offset += 1
                }
            }
        }
    }

    private static func collect(
        _ pieces: inout [iovec], of batch: [ObjectLog.Pending], heads: UnsafeMutableRawBufferPointer
    ) {
        pieces.removeAll(keepingCapacity: true)
        var start = 0
        var end = 0
        for pending in batch {
            let header = pending.header
            end += RecordHeader.size + header.headLength
            if header.payloadLength > 0 {
                pieces.append(iovec(iov_base: heads.baseAddress! + start, iov_len: end - start))
                // The bytes live on the heap and the batch keeps them there: the pointer outlives the closure.
                pending.entry.payload.withUnsafeReadableBytes { payload in
                    let base = UnsafeMutableRawPointer(mutating: payload.baseAddress)
                    pieces.append(iovec(iov_base: base, iov_len: payload.count))
                }
                start = end
            }
            // The padding leads the next piece.
            end += header.alignedSize - header.recordSize
        }
        if end > start { pieces.append(iovec(iov_base: heads.baseAddress! + start, iov_len: end - start)) }
    }
}
