import Glibc

/// Writes the records of a batch with one `pwritev`: heads from a buffer that is reused, payloads from where they are. Large
/// ones go past the system's cache.
///
/// What it writes is whole blocks: the last one that is not full is written again with what follows, and zeros fill up the
/// new last one. Otherwise the system would have to read a block to write a part of it.
struct BatchWriter {
    let seed: UInt32
    private let directFrom: Int
    private var direct: DirectWriter
    private var heads: [UInt8] = []
    private var pieces: [iovec] = []
    private var last = LastBlock()

    /// - Parameter directFrom: size of records that go past the system's cache.
    init(seed: UInt32, directory: any LogDirectory, directFrom: Int) {
        self.seed = seed
        self.directFrom = directFrom
        direct = DirectWriter(directory)
    }

    /// The records follow each other in one segment.
    mutating func write(_ batch: [ObjectLog.Pending], durable: LogPosition) throws(FileError) {
        guard let first = batch.first else { return }
        let segment = first.segment
        direct.close(except: segment.number)
        composeHeads(of: batch, durable: durable)
        let size = batch.reduce(0) { $0 + $1.header.alignedSize }
        let start = Int(first.header.position.offset)
        let range = start..<start + size
        let path = WritePath(records: batch.count, bytes: size, directFrom: directFrom)
        let begun = last.begun(by: range.lowerBound, of: segment)
        var failure: FileError?
        // Out of `self`, which is changed meanwhile.
        var heads = heads
        self.heads = []
        defer { self.heads = heads }
        heads.withUnsafeMutableBytes { heads in
            begun.withUnsafeBytes { begun in
                do throws(FileError) {
                    collect(batch, endingAt: range.upperBound, of: segment, begun: begun, heads: heads)
                    let offset = range.lowerBound - begun.count
                    try write(offset, path, to: segment)
                    last.note(range.upperBound, of: segment, in: pieces, from: offset)
                } catch {
                    failure = error
                }
            }
        }
        if let failure { throw failure }
    }

    /// The pieces, at an offset.
    private mutating func write(_ offset: Int, _ path: WritePath, to segment: SegmentFile) throws(FileError) {
        let count = pieces.reduce(0) { $0 + $1.iov_len }
        let isWhole = offset % WholeBlocks.size == 0 && count % WholeBlocks.size == 0
        if path == .direct, isWhole, try direct.write(pieces, count: count, to: segment.number, at: offset) { return }
        var failure: FileError?
        pieces.withUnsafeBufferPointer { pieces in
            do throws(FileError) { try segment.file.write(pieces, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// What is written: the block that was begun before, the records, and zeros to the end of a block, unless the trailer
    /// of the segment is there.
    private mutating func collect(
        _ batch: [ObjectLog.Pending], endingAt recordsEnd: Int, of segment: SegmentFile,
        begun: UnsafeRawBufferPointer, heads: UnsafeMutableRawBufferPointer
    ) {
        pieces.removeAll(keepingCapacity: true)
        if !begun.isEmpty { pieces.append(iovec(begun)) }
        Self.collect(&pieces, of: batch, heads: heads)
        let end = WholeBlocks.rounded(up: recordsEnd)
        if end > recordsEnd, end <= segment.recordLimit {
            pieces.append(iovec(UnsafeRawBufferPointer(rebasing: WholeBlocks.zeros.memory[..<(end - recordsEnd)])))
        }
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
