import Checksums

/// Where the blocks of a footer stand, found from the trailer backwards.
struct FooterChain {
    let trailer: SegmentTrailer
    /// Ascending. Their payloads are not checked yet.
    private(set) var blocks: [Int] = []
    /// A block that should stand here does not: what is before it is not told.
    private(set) var broken: Int?

    /// nil: the segment is not sealed, or its trailer is damaged.
    init?(_ window: SegmentWindow, seed: UInt32) throws(FileError) {
        guard let trailer = try window.segment.trailer(seed: seed) else { return nil }
        self.trailer = trailer
        let scan = RecordScan(window, seed: seed)
        var offset = trailer.lastBlock
        while offset != 0 {
            guard let header = try scan.header(at: offset), header.type == FooterBuilder.recordType else {
                broken = offset
                break
            }
            blocks.append(offset)
            let payload = try scan.payload(of: header)
            guard payload.count >= FooterBuilder.fixedSize else { break }
            let previous = Int(payload.number(at: 0, UInt32.self))
            guard previous < offset else { break }
            offset = previous
        }
        blocks.reverse()
    }

    var isComplete: Bool { broken == nil && !blocks.isEmpty }
}

extension RecordScan {
    /// nil: it is damaged.
    func footerBlock(at offset: Int) throws(FileError) -> FooterBlock? {
        guard let header = try header(at: offset) else { return nil }
        let payload = try payload(of: header)
        guard payload.count == header.payloadLength, crc32c(payload) == header.payloadChecksum else { return nil }
        return FooterBlock(header, payload: payload)
    }
}
