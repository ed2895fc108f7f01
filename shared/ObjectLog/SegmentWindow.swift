import Glibc

/// Reads a segment through a window that moves forward: its memory is bounded by the window and the largest record.
///
/// Pages that the device cannot read are shown as zeros and remembered: no record stands there, what is around them can
/// still be read.
final class SegmentWindow {
    private static let size = 1 << 20
    private static let pageSize = 4096
    /// A page that cannot be read is tried once more after so long, a few times for each window.
    private static let pauseMicroseconds: UInt32 = 50_000
    private static let pausesMax = 4

    let segment: SegmentFile
    /// Offsets that gave EIO so far.
    private(set) var unreadable: [Range<Int>] = []
    private var memory: UnsafeMutableRawBufferPointer
    private var start = 0
    private var filled = 0
    private var pauses = 0

    init(_ segment: SegmentFile) {
        self.segment = segment
        memory = .allocate(byteCount: min(Self.size, max(segment.capacity, Self.pageSize)), alignment: Self.pageSize)
    }

    deinit { memory.deallocate() }

    /// The bytes from an offset on, fewer at the end of the segment. Valid until the next call.
    func bytes(at offset: Int, count: Int) throws(FileError) -> UnsafeRawBufferPointer {
        let count = max(0, min(count, segment.capacity - offset))
        if offset < start || offset + count > start + filled { try load(offset, atLeast: count) }
        let from = offset - start
        return UnsafeRawBufferPointer(rebasing: memory[from..<from + min(count, max(0, filled - from))])
    }

    /// As much as the window holds from an offset on.
    func bytes(at offset: Int) throws(FileError) -> UnsafeRawBufferPointer {
        try bytes(at: offset, count: Self.size)
    }

    private func load(_ offset: Int, atLeast count: Int) throws(FileError) {
        if memory.count < count {
            memory.deallocate()
            memory = .allocate(byteCount: count, alignment: Self.pageSize)
        }
        let wanted = min(memory.count, segment.capacity - offset)
        let target = UnsafeMutableRawBufferPointer(rebasing: memory[0..<max(0, wanted)])
        start = offset
        filled = 0
        do throws(FileError) {
            filled = try segment.file.read(into: target, at: offset)
        } catch {
            guard error.code == EIO else { throw error }
            try loadPages(target, at: offset)
        }
    }

    private func loadPages(_ target: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) {
        while filled < target.count {
            let at = offset + filled
            let count = min(Self.pageSize - at % Self.pageSize, target.count - filled)
            let page = UnsafeMutableRawBufferPointer(rebasing: target[filled..<filled + count])
            if let read = try readPage(page, at: at) {
                guard read == count else { return }
            } else {
                page.initializeMemory(as: UInt8.self, repeating: 0)
                unreadable.append(at..<at + count)
            }
            filled += count
        }
    }

    /// nil: the device refuses it, and again a moment later. An error that passes is no damage.
    private func readPage(_ page: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int? {
        if let read = try readOnce(page, at: offset) { return read }
        guard pauses < Self.pausesMax else { return nil }
        pauses += 1
        usleep(Self.pauseMicroseconds)
        return try readOnce(page, at: offset)
    }

    private func readOnce(_ page: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int? {
        do throws(FileError) { return try segment.file.read(into: page, at: offset) } catch {
            guard error.code == EIO else { throw error }
            return nil
        }
    }
}

extension UnsafeRawBufferPointer {
    /// By C functions: in a loop of Swift this costs seconds in a debug build.
    var isZero: Bool {
        guard let base = baseAddress, count > 0 else { return true }
        return self[0] == 0 && memcmp(base, base + 1, count - 1) == 0
    }

    /// Offset behind the last byte that is not zero; 0: all are.
    var endOfContent: Int {
        var end = count
        var step = 1 << 16
        while end > 0 {
            let part = UnsafeRawBufferPointer(rebasing: self[Swift.max(0, end - step)..<end])
            if part.isZero { end -= part.count } else if step > 1 { step = Swift.max(1, step / 16) } else { return end }
        }
        return 0
    }
}
