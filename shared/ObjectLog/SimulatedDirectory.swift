import Glibc
import Threads

/// A directory in memory that behaves like a disk on a bad day: for tests.
///
/// It remembers what was synced. After a crash, what was written since may be there, be gone, or be there in part, by
/// sectors of 512 bytes; names made or changed since the last sync of the directory may be the old or the new ones.
public final class SimulatedDirectory: LogDirectory {
    /// What a crash does to what was not synced.
    public enum Loss: CaseIterable, Sendable { case kept, dropped, torn }

    fileprivate static let sectorSize = 512

    fileprivate struct Content {
        var cached: [UInt8] = []
        var durable: [UInt8] = []
        var dirtySectors: Set<Int> = []
    }

    fileprivate struct State {
        var contents: [Int: Content] = [:]
        var names: [String: Int] = [:]
        var durableNames: [String: Int] = [:]
        var nextFile = 0
        var isLocked = false
        /// Operations that change something, since the start.
        var operations = 0
        var syncs = 0
        var crashAt: Int?
        var isDead = false
        var failsSyncs = false
        var capacity = Int.max
        var holdsSyncs = false
    }

    public let path = "simulated"
    fileprivate let state: Monitor<State>

    public init() { state = Monitor(State()) }

    private init(_ state: State) { self.state = Monitor(state) }

    // MARK: - Faults

    public var operations: Int { state.withLock { $0.operations } }
    /// Of files, not of the directory.
    public var syncs: Int { state.withLock { $0.syncs } }

    /// The operation after so many more is the last one, and happens only in part.
    public func crash(after count: Int) { state.withLock { $0.crashAt = $0.operations + count } }
    public func failSyncs() { state.withLock { $0.failsSyncs = true } }
    public func setCapacity(_ bytes: Int) { state.withLock { $0.capacity = bytes } }

    /// While held, syncs wait.
    public func holdSyncs(_ holds: Bool) {
        state.withLock { $0.holdsSyncs = holds }
        state.wake()
    }

    /// Flips the bits of one byte, on the disk.
    public func damage(_ name: String, at offset: Int) {
        state.withLock { state in
            guard let file = state.names[name] else { return }
            state.contents[file]!.cached[offset] ^= 0xff
            state.contents[file]!.durable[offset] ^= 0xff
        }
    }

    /// Writes bytes as an interrupted write might have left them.
    public func scribble(_ bytes: [UInt8], on name: String, at offset: Int) {
        state.withLock { state in
            guard let file = state.names[name] else { return }
            state.contents[file]!.cached.replaceSubrange(offset..<offset + bytes.count, with: bytes)
            state.contents[file]!.durable.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        }
    }

    /// What the next start finds.
    public func afterCrash(_ loss: Loss, using generator: inout some RandomNumberGenerator) -> SimulatedDirectory {
        var next = state.withLock { $0 }
        next.isLocked = false
        next.isDead = false
        next.crashAt = nil
        next.holdsSyncs = false
        if loss == .dropped || loss == .torn && Bool.random(using: &generator) { next.names = next.durableNames }
        next.durableNames = next.names
        for (file, content) in next.contents {
            next.contents[file] = content.afterCrash(loss, using: &generator)
        }
        return SimulatedDirectory(next)
    }

    // MARK: - LogDirectory

    public func lock() -> Bool {
        state.withLock { state in
            defer { state.isLocked = true }
            return !state.isLocked
        }
    }

    public func unlock() { state.withLock { $0.isLocked = false } }

    public func names() throws(FileError) -> [String] {
        try state.withLock { state throws(FileError) in
            try state.checkAlive()
            return Array(state.names.keys)
        }
    }

    public func create(_ name: String) throws(FileError) -> any LogFile {
        try state.withLock { state throws(FileError) in
            try state.operate()
            let file = state.nextFile
            state.nextFile += 1
            state.contents[file] = Content()
            state.names[name] = file
            return SimulatedFile(self, file)
        }
    }

    public func open(_ name: String) throws(FileError) -> any LogFile {
        try state.withLock { state throws(FileError) in
            try state.checkAlive()
            guard let file = state.names[name] else { throw FileError("open", name, code: ENOENT) }
            return SimulatedFile(self, file)
        }
    }

    public func rename(_ name: String, to other: String) throws(FileError) {
        try state.withLock { state throws(FileError) in
            try state.operate()
            guard let file = state.names.removeValue(forKey: name) else {
                throw FileError("rename", name, code: ENOENT)
            }
            state.names[other] = file
        }
    }

    public func remove(_ name: String) throws(FileError) {
        try state.withLock { state throws(FileError) in
            try state.operate()
            state.names[name] = nil
        }
    }

    public func sync() throws(FileError) {
        try state.withLock { state throws(FileError) in
            try state.operate()
            state.durableNames = state.names
        }
    }
}

private final class SimulatedFile: LogFile {
    private let directory: SimulatedDirectory
    private let file: Int

    init(_ directory: SimulatedDirectory, _ file: Int) {
        self.directory = directory
        self.file = file
    }

    func write(_ pieces: UnsafeBufferPointer<iovec>, at offset: Int) throws(FileError) {
        let bytes = pieces.flatMap { piece in
            Array(UnsafeRawBufferPointer(start: piece.iov_base, count: piece.iov_len))
        }
        try directory.state.withLock { state throws(FileError) in
            do throws(FileError) { try state.operate() } catch {
                // The last write of a crash reaches the cache; what of it reaches the disk is the crash's choice.
                if error.code == ESHUTDOWN { state.put(bytes, file, offset) }
                throw error
            }
            let used = state.names.values.reduce(0) { $0 + (state.contents[$1]?.cached.count ?? 0) }
            let growth = max(0, offset + bytes.count - (state.contents[file]?.cached.count ?? 0))
            guard growth == 0 || used + growth <= state.capacity else { throw FileError("write", "file", code: ENOSPC) }
            state.put(bytes, file, offset)
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
        try directory.state.withLock { state throws(FileError) in
            try state.checkAlive()
            let bytes = state.contents[file]?.cached ?? []
            guard offset < bytes.count else { return 0 }
            let count = min(buffer.count, bytes.count - offset)
            buffer.copyBytes(from: bytes[offset..<offset + count])
            return count
        }
    }

    func sync() throws(FileError) {
        try directory.state.waiting { state, waiter throws(FileError) in
            while state.pointee.holdsSyncs { waiter.wait() }
            try state.pointee.operate()
            state.pointee.syncs += 1
            if state.pointee.failsSyncs { throw FileError("fdatasync", "file", code: EIO) }
            state.pointee.contents[file]?.makeDurable()
        }
    }

    func size() throws(FileError) -> Int {
        try directory.state.withLock { state throws(FileError) in
            try state.checkAlive()
            return state.contents[file]?.cached.count ?? 0
        }
    }
}

extension SimulatedDirectory.State {
    fileprivate func checkAlive() throws(FileError) {
        if isDead { throw FileError("use", "disk", code: EIO) }
    }

    /// Counts an operation; the one of the crash throws ESHUTDOWN.
    fileprivate mutating func operate() throws(FileError) {
        try checkAlive()
        operations += 1
        if let crashAt, operations >= crashAt {
            isDead = true
            throw FileError("use", "disk", code: ESHUTDOWN)
        }
    }

    fileprivate mutating func put(_ bytes: [UInt8], _ file: Int, _ offset: Int) {
        guard !bytes.isEmpty, var content = contents.removeValue(forKey: file) else { return }
        let missing = offset + bytes.count - content.cached.count
        if missing > 0 { content.cached.append(contentsOf: repeatElement(0, count: missing)) }
        content.cached.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        let size = SimulatedDirectory.sectorSize
        content.dirtySectors.formUnion(offset / size...(offset + bytes.count - 1) / size)
        contents[file] = content
    }
}

extension SimulatedDirectory.Content {
    fileprivate mutating func makeDurable() {
        durable = cached
        dirtySectors = []
    }

    fileprivate func afterCrash(_ loss: SimulatedDirectory.Loss, using generator: inout some RandomNumberGenerator)
        -> Self
    {
        var left = self
        switch loss {
        case .kept: break
        case .dropped: left.cached = durable
        case .torn:
            left.cached = durable
            let size = SimulatedDirectory.sectorSize
            for sector in dirtySectors.sorted() where Bool.random(using: &generator) {
                let range = sector * size..<min((sector + 1) * size, cached.count)
                guard !range.isEmpty else { continue }
                let missing = range.upperBound - left.cached.count
                if missing > 0 { left.cached.append(contentsOf: repeatElement(0, count: missing)) }
                left.cached.replaceSubrange(range, with: cached[range])
            }
        }
        left.makeDurable()
        return left
    }
}
