import Glibc

/// The bytes of a simulated file, in pages; one that is not there is zeros. Copies share their pages.
struct SimulatedContent {
    static let sectorSize = 512
    static let sectorsOfPage = 32
    private static let pageSize = sectorSize * sectorsOfPage

    var size = 0
    private var pages: [Int: [UInt8]] = [:]

    mutating func flip(_ offset: Int) {
        pages[offset / Self.pageSize, default: Self.zeros][offset % Self.pageSize] ^= 0xff
    }

    mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        var done = 0
        while done < bytes.count {
            let (page, start) = (offset + done).quotientAndRemainder(dividingBy: Self.pageSize)
            let count = min(Self.pageSize - start, bytes.count - done)
            let piece = UnsafeRawBufferPointer(rebasing: bytes[done..<done + count])
            done += count
            if count == Self.pageSize, Self.isZero(piece) {
                pages[page] = nil
            } else {
                pages[page, default: Self.zeros].withUnsafeMutableBytes {
                    UnsafeMutableRawBufferPointer(rebasing: $0[start..<start + count]).copyMemory(from: piece)
                }
            }
        }
        size = max(size, offset + bytes.count)
    }

    /// Fills the buffer as far as the content reaches; returns how much.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        let wanted = min(buffer.count, size - offset)
        var done = 0
        while done < wanted {
            let (page, start) = (offset + done).quotientAndRemainder(dividingBy: Self.pageSize)
            let count = min(Self.pageSize - start, wanted - done)
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
            (pages[page] ?? Self.zeros).withUnsafeBytes {
                target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<start + count]))
            }
            done += count
        }
        return max(0, wanted)
    }

    mutating func takePage(_ page: Int, of other: SimulatedContent) { pages[page] = other.pages[page] }

    /// Takes some sectors of a page, one bit a sector, as far as the other content reaches.
    mutating func takeSectors(_ sectors: UInt32, of page: Int, _ other: SimulatedContent) {
        guard sectors != 0 else { return }
        let source = other.pages[page] ?? Self.zeros
        pages[page, default: Self.zeros].withUnsafeMutableBytes { target in
            for sector in 0..<Self.sectorsOfPage where sectors & (1 << sector) != 0 {
                let range = sector * Self.sectorSize..<(sector + 1) * Self.sectorSize
                source.withUnsafeBytes {
                    UnsafeMutableRawBufferPointer(rebasing: target[range])
                        .copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[range]))
                }
            }
        }
        let last = Self.sectorsOfPage - 1 - sectors.leadingZeroBitCount
        size = max(size, min(other.size, page * Self.pageSize + (last + 1) * Self.sectorSize))
    }

    private static let zeros = [UInt8](repeating: 0, count: pageSize)

    private static func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
        zeros.withUnsafeBytes { memcmp($0.baseAddress!, bytes.baseAddress!, bytes.count) == 0 }
    }
}
