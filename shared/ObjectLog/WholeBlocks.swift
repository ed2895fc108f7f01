import Glibc

/// Memory that a device can be written from directly: it begins at a block and holds whole ones.
final class WholeBlocks: @unchecked Sendable {
    /// What files are written by past the system's cache, and what a page of that cache holds: a multiple of what devices
    /// and file systems ask for.
    static let size = 4096

    /// As many zeros as a slice of a segment. Never written to.
    static let zeros = WholeBlocks(capacity: SegmentFile.slice)

    let memory: UnsafeMutableRawBufferPointer

    init(capacity: Int) {
        memory = .allocate(byteCount: Self.rounded(up: capacity), alignment: Self.size)
        memory.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { memory.deallocate() }

    static func rounded(up offset: Int) -> Int { (offset + size - 1) / size * size }
    static func rounded(down offset: Int) -> Int { offset / size * size }
}

extension iovec {
    init(_ bytes: UnsafeRawBufferPointer) {
        self.init(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
    }
}
