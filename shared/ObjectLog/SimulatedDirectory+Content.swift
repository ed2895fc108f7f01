extension SimulatedDirectory.Content {
    mutating func truncate() {
        cached = SimulatedContent()
        dirty = [:]
        isTruncated = true
    }

    mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        guard !bytes.isEmpty else { return }
        let first = offset / SimulatedContent.sectorSize
        let last = (offset + bytes.count - 1) / SimulatedContent.sectorSize
        let perPage = SimulatedContent.sectorsOfPage
        for page in first / perPage...last / perPage {
            let low = max(0, first - page * perPage)
            let high = min(perPage - 1, last - page * perPage)
            dirty[page, default: 0] |= UInt32.max >> (perPage - 1 - high) & UInt32.max << low
        }
        cached.write(bytes, at: offset)
    }

    mutating func makeDurable() {
        if isTruncated { durable = SimulatedContent() }
        for page in dirty.keys { durable.takePage(page, of: cached) }
        durable.size = cached.size
        dirty = [:]
        isTruncated = false
    }

    func afterCrash(_ loss: SimulatedDirectory.Loss, using generator: inout some RandomNumberGenerator)
        -> Self
    {
        var left = self
        switch loss {
        case .kept: break
        case .dropped: left.cached = durable
        case .torn:
            if !isTruncated || Bool.random(using: &generator) { left.cached = durable } else { left.cached = .init() }
            for (page, sectors) in dirty.sorted(by: { $0.key < $1.key }) {
                left.cached.takeSectors(sectors & UInt32.random(in: .min ... .max, using: &generator), of: page, cached)
            }
        }
        left.durable = left.cached
        left.dirty = [:]
        left.isTruncated = false
        return left
    }
}
