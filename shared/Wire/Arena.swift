import CMartletWire

#if canImport(Glibc)
    import Glibc
#endif

/// Memory for one message while it is packed or unpacked: allocations are bumped from blocks and freed all at once.
///
/// The first block is lent by the caller (from the stack, see ``withArena(limit:_:)``), so that a small message needs no
/// allocation but the arena itself.
public final class Arena {
    /// Blocks of our own.
    private var blocks: [UnsafeMutableRawPointer] = []
    // Nothing is called while these are changed: checks of exclusive access would cost more than the allocation.
    @exclusivity(unchecked) private var next: UnsafeMutableRawPointer?
    @exclusivity(unchecked) private var left: Int
    /// Bytes that one message may take; a hostile message is refused instead of eating the memory.
    private let limit: Int
    private var total: Int

    static let blockSize = 4096

    /// The lent block must outlive the arena and be aligned to 16 bytes.
    init(limit: Int, lent: UnsafeMutableRawBufferPointer) {
        next = lent.baseAddress
        left = lent.count
        total = lent.count
        self.limit = limit
    }

    public convenience init(limit: Int = 64 << 20) {
        self.init(limit: limit, lent: UnsafeMutableRawBufferPointer(start: nil, count: 0))
    }

    deinit {
        for block in blocks { free(block) }
    }

    /// Uninitialised memory aligned to 16 bytes, or nil over the limit.
    public func allocate(bytes count: Int) -> UnsafeMutableRawPointer? {
        guard count >= 0, count <= limit else { return nil }
        let size = (max(count, 1) + 15) & ~15
        if size > left {
            let block = max(Self.blockSize, size)
            guard total + block <= limit, let fresh = malloc(block) else { return nil }
            total += block
            blocks.append(fresh)
            next = fresh
            left = block
        }
        defer {
            next! += size
            left -= size
        }
        return next
    }

    func allocate<T>(_ type: T.Type, count: Int = 1) -> UnsafeMutablePointer<T> {
        guard let memory = allocate(bytes: MemoryLayout<T>.stride * count) else {
            preconditionFailure("a message of our own making is larger than the arena's limit")
        }
        return memory.bindMemory(to: type, capacity: count)
    }

    func string(_ text: String) -> UnsafeMutablePointer<CChar> {
        var text = text
        return text.withUTF8 { utf8 in
            let memory = allocate(CChar.self, count: utf8.count + 1)
            if let source = utf8.baseAddress { memcpy(memory, source, utf8.count) }
            memory[utf8.count] = 0
            return memory
        }
    }

    func binary(_ bytes: [UInt8]) -> ProtobufCBinaryData {
        let memory = allocate(UInt8.self, count: max(bytes.count, 1))
        bytes.withUnsafeBytes { if let source = $0.baseAddress { memcpy(memory, source, $0.count) } }
        return ProtobufCBinaryData(len: bytes.count, data: memory)
    }

    func strings(_ texts: [String]) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> {
        let memory = allocate(UnsafeMutablePointer<CChar>?.self, count: texts.count)
        for (index, text) in texts.enumerated() { memory[index] = string(text) }
        return memory
    }

    func binaries(_ values: [[UInt8]]) -> UnsafeMutablePointer<ProtobufCBinaryData> {
        let memory = allocate(ProtobufCBinaryData.self, count: values.count)
        for (index, value) in values.enumerated() { memory[index] = binary(value) }
        return memory
    }

    func array<T: BitwiseCopyable>(_ values: [T]) -> UnsafeMutablePointer<T> {
        let memory = allocate(T.self, count: values.count)
        memory.initialize(from: values, count: values.count)
        return memory
    }

    func messages<M: WireMessage, C>(_ values: [M], as type: C.Type) -> UnsafeMutablePointer<UnsafeMutablePointer<C>?> {
        let memory = allocate(UnsafeMutablePointer<C>?.self, count: values.count)
        for (index, value) in values.enumerated() {
            memory[index] = value.write(to: self).assumingMemoryBound(to: type)
        }
        return memory
    }
}

func wireString(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
    pointer.map { String(cString: $0) } ?? ""
}

func wireBytes(_ binary: ProtobufCBinaryData) -> [UInt8] {
    guard binary.len > 0, let data = binary.data else { return [] }
    return Array(UnsafeBufferPointer(start: data, count: binary.len))
}

/// Runs `body` with an arena whose first block is on the stack.
func withArena<R>(limit: Int, _ body: (Arena) throws -> R) rethrows -> R {
    try withUnsafeTemporaryAllocation(byteCount: 2048, alignment: 16) { block in
        let arena = Arena(limit: limit, lent: block)
        return try withExtendedLifetime(arena) { try body(arena) }
    }
}
