import Glibc
import Threads

/// A directory in memory that behaves like a disk on a bad day: for tests.
///
/// It remembers what was synced. After a crash, what was written since may be there, be gone, or be there in part, by
/// sectors of 512 bytes; names made or changed since the last sync of the directory may be the old or the new ones, each
/// for itself. It can also break its word: see ``Lie``.
public final class SimulatedDirectory: LogDirectory {
    /// What a crash does to what was not synced.
    public enum Loss: CaseIterable, Sendable { case kept, dropped, torn }

    public enum Operation: Sendable { case open, create, read, write, rename }

    public let path = "simulated"
    let state: Monitor<State>

    public init() { state = Monitor(State()) }

    private init(_ state: State) { self.state = Monitor(state) }

    // MARK: - Faults

    public var operations: Int { state.withLock { $0.operations } }
    /// Of files, not of the directory.
    public var syncs: Int { state.withLock { $0.syncs } }
    /// Writes past the cache.
    public var directWrites: Int { state.withLock { $0.directWrites } }

    /// The operation after so many more is the last one, and happens only in part.
    /// `reads`: may still be done, by a process that does not know that it is dead and must not take it for damage.
    public func crash(after count: Int, reads: Bool = false) {
        state.withLock { state in
            state.crashAt = state.operations + count
            state.readsWhenDead = reads
        }
    }
    public func failSyncs() { state.withLock { $0.failsSyncs = true } }
    /// From now on these fail with this errno; nil: no longer.
    public func fail(_ operation: Operation, with code: Int32?) { state.withLock { $0.failures[operation] = code } }
    /// From now on, and after a crash.
    public func tell(_ lie: Lie?) { state.withLock { $0.lie = lie } }
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
            state.contents[file]!.cached.flip(offset)
            state.contents[file]!.durable.flip(offset)
        }
    }

    /// Writes bytes as an interrupted write might have left them.
    public func scribble(_ bytes: [UInt8], on name: String, at offset: Int) {
        state.withLock { state in
            guard let file = state.names[name] else { return }
            bytes.withUnsafeBytes {
                state.contents[file]!.cached.write($0, at: offset)
                state.contents[file]!.durable.write($0, at: offset)
            }
        }
    }

    /// What the next start finds.
    public func afterCrash(_ loss: Loss, using generator: inout some RandomNumberGenerator) -> SimulatedDirectory {
        var next = state.withLock { $0 }
        next.isLocked = false
        next.isDead = false
        next.readsWhenDead = false
        next.crashAt = nil
        next.holdsSyncs = false
        next.unsynced = []
        next.loseNames(loss, using: &generator)
        // Of files without a name nothing is left.
        let named = Set(next.names.values)
        next.contents = next.contents.filter { named.contains($0.key) }
        for file in next.contents.keys.sorted() {
            next.contents[file] = next.contents[file]!.afterCrash(loss, using: &generator)
        }
        return SimulatedDirectory(next)
    }

    /// The same disk once more, as it is now: what happens to one does not happen to the other.
    public func copy() -> SimulatedDirectory { SimulatedDirectory(state.withLock { $0 }) }

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

    public func size(of name: String) throws(FileError) -> Int {
        try state.withLock { state throws(FileError) in
            try state.checkAlive()
            guard let file = state.names[name] else { throw FileError("stat", name, code: ENOENT) }
            return state.contents[file]?.cached.size ?? 0
        }
    }

    public func space() throws(FileError) -> DiskSpace {
        try state.withLock { state throws(FileError) in
            try state.checkAlive()
            return DiskSpace(free: max(0, state.capacity - state.used), total: state.capacity)
        }
    }

    public func create(_ name: String) throws(FileError) -> any LogFile {
        try state.withLock { state throws(FileError) in
            try state.operate()
            try state.checkFailure(.create, name)
            if let file = state.names[name] {
                state.contents[file]!.truncate()
                return SimulatedFile(self, file)
            }
            let file = state.nextFile
            state.nextFile += 1
            state.contents[file] = Content()
            state.fresh.insert(file)
            state.note(NameChange(added: (name, file)))
            return SimulatedFile(self, file)
        }
    }

    public func open(_ name: String) throws(FileError) -> any LogFile {
        try state.withLock { state throws(FileError) in
            try state.checkReadable()
            try state.checkFailure(.open, name)
            guard let file = state.names[name] else { throw FileError("open", name, code: ENOENT) }
            return SimulatedFile(self, file)
        }
    }

    public func openDirect(_ name: String) -> (any LogFile)? {
        guard let file = try? open(name) as? SimulatedFile else { return nil }
        return SimulatedDirectFile(file)
    }

    public func rename(_ name: String, to other: String) throws(FileError) {
        try state.withLock { state throws(FileError) in
            try state.operate()
            try state.checkFailure(.rename, name)
            guard let file = state.names[name] else { throw FileError("rename", name, code: ENOENT) }
            state.fresh.remove(file)
            state.note(NameChange(removed: name, added: (other, file)))
        }
    }

    public func remove(_ name: String) throws(FileError) {
        try state.withLock { state throws(FileError) in
            try state.operate()
            state.note(NameChange(removed: name))
        }
    }

    public func sync() throws(FileError) {
        try state.withLock { state throws(FileError) in
            try state.operate()
            guard !state.tells(.directorySync) else { return }
            state.syncedNames = state.names
            state.nameChanges = []
        }
    }
}
