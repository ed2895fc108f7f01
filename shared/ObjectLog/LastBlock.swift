import Glibc

/// The block that the last record ends in, as far as it is written: the next write begins with it.
struct LastBlock {
    private var segment: UInt32 = 0
    private var end = 0
    /// From the begin of the block on.
    private var bytes: [UInt8] = []

    /// What stands in the block before an offset; nothing when that is not known, or the block begins there.
    func begun(by offset: Int, of segment: SegmentFile) -> [UInt8] {
        if segment.number == self.segment, offset == end { return bytes }
        let count = offset % WholeBlocks.size
        // Written by whoever had the log open before, or the header of the segment.
        guard count > 0, let found = try? segment.file.read(count: count, at: offset - count), found.count == count
        else { return [] }
        return found
    }

    /// - Parameters:
    ///   - end: where the records end.
    ///   - pieces: what was written from `offset` on, maybe with zeros behind the records.
    mutating func note(_ end: Int, of segment: SegmentFile, in pieces: [iovec], from offset: Int) {
        let begin = WholeBlocks.rounded(down: end)
        // Else nobody could say what stands in the block.
        self.segment = begin >= offset ? segment.number : 0
        self.end = end
        bytes.removeAll(keepingCapacity: true)
        var start = offset
        for piece in pieces {
            let range = max(begin, start)..<max(begin, start, min(end, start + piece.iov_len))
            if !range.isEmpty {
                let content = UnsafeRawBufferPointer(start: piece.iov_base, count: piece.iov_len)
                bytes.append(contentsOf: content[range.lowerBound - start..<range.upperBound - start])
            }
            start += piece.iov_len
        }
    }
}
