import Glibc

/// Writes whole blocks past the system's cache, by way of memory that is used again and again.
struct DirectWriter {
    /// What goes to the device in one piece.
    private static let pieceMax = 4 << 20

    private let directory: any LogDirectory
    /// Without a file when it could not be opened: it may be that there were no descriptors left.
    private var opened: (segment: UInt32, file: (any LogFile)?)?
    private var blocks: WholeBlocks?
    /// The file system asks for larger blocks.
    private var isRefused = false

    init(_ directory: any LogDirectory) { self.directory = directory }

    /// False: it has to be written otherwise, all of it.
    ///
    /// - Parameters:
    ///   - pieces: whole blocks altogether.
    ///   - offset: where a block begins.
    mutating func write(_ pieces: [iovec], count: Int, to segment: UInt32, at offset: Int) throws(FileError) -> Bool {
        guard let file = file(of: segment) else { return false }
        let blocks = blocks(count)
        do throws(FileError) {
            var offset = offset
            var filled = 0
            for piece in pieces {
                var rest = UnsafeRawBufferPointer(start: piece.iov_base, count: piece.iov_len)
                while !rest.isEmpty {
                    let part = UnsafeRawBufferPointer(rebasing: rest.prefix(blocks.memory.count - filled))
                    UnsafeMutableRawBufferPointer(rebasing: blocks.memory[filled...]).copyMemory(from: part)
                    rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
                    filled += part.count
                    guard filled == blocks.memory.count else { continue }
                    try file.write(UnsafeRawBufferPointer(blocks.memory), at: offset)
                    offset += filled
                    filled = 0
                }
            }
            if filled > 0 { try file.write(UnsafeRawBufferPointer(rebasing: blocks.memory[..<filled]), at: offset) }
            return true
        } catch {
            // It wants larger blocks.
            guard error.code == EINVAL else { throw error }
            isRefused = true
            return false
        }
    }

    /// What was removed gives its space back only when nobody has it open.
    mutating func close(except segment: UInt32) {
        if opened?.segment != segment { opened = nil }
    }

    private mutating func file(of segment: UInt32) -> (any LogFile)? {
        if isRefused { return nil }
        close(except: segment)
        if opened == nil { opened = (segment, directory.openDirect(SegmentFile.name(segment))) }
        return opened?.file
    }

    private mutating func blocks(_ count: Int) -> WholeBlocks {
        let capacity = min(Self.pieceMax, count)
        if let blocks, blocks.memory.count >= capacity { return blocks }
        let made = WholeBlocks(capacity: capacity)
        blocks = made
        return made
    }
}
