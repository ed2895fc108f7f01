import Glibc
import Threads

/// A file of a ``SimulatedDirectory``.
final class SimulatedFile: LogFile {
    let directory: SimulatedDirectory
    private let file: Int

    init(_ directory: SimulatedDirectory, _ file: Int) {
        self.directory = directory
        self.file = file
    }

    func write(_ pieces: UnsafeBufferPointer<iovec>, at offset: Int) throws(FileError) {
        let count = pieces.reduce(0) { $0 + $1.iov_len }
        try directory.state.withLock { state throws(FileError) in
            do throws(FileError) { try state.operate() } catch {
                // The last write of a crash reaches the cache; what of it reaches the disk is the crash's choice.
                if error.code == ESHUTDOWN { state.put(pieces, file, offset) }
                throw error
            }
            try state.checkFailure(.write, "file")
            if state.skipsWrite(to: file, of: pieces) { return }
            let used = state.used
            let growth = max(0, offset + count - (state.contents[file]?.cached.size ?? 0))
            guard growth == 0 || used + growth <= state.capacity else { throw FileError("write", "file", code: ENOSPC) }
            state.put(pieces, file, offset)
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
        try directory.state.withLock { state throws(FileError) in
            try state.checkReadable()
            try state.checkFailure(.read, "file")
            return state.contents[file]?.cached.read(into: buffer, at: offset) ?? 0
        }
    }

    func sync() throws(FileError) {
        try directory.state.waiting { state, waiter throws(FileError) in
            while state.pointee.holdsSyncs { waiter.wait() }
            try state.pointee.operate()
            state.pointee.syncs += 1
            if state.pointee.failsSyncs { throw FileError("fdatasync", "file", code: EIO) }
            state.pointee.sync(file)
        }
    }

    func reserve(_ size: Int) throws(FileError) {
        try directory.state.withLock { state throws(FileError) in
            try state.operate()
            let growth = max(0, size - (state.contents[file]?.cached.size ?? 0))
            guard state.used + growth <= state.capacity else { throw FileError("fallocate", "file", code: ENOSPC) }
            state.contents[file]?.cached.size += growth
        }
    }

    func size() throws(FileError) -> Int {
        try directory.state.withLock { state throws(FileError) in
            try state.checkReadable()
            return state.contents[file]?.cached.size ?? 0
        }
    }
}

/// Refuses what a device would refuse. What a crash takes of its writes is the same as of others: only a sync promises.
final class SimulatedDirectFile: LogFile {
    private let file: SimulatedFile

    init(_ file: SimulatedFile) { self.file = file }

    func write(_ pieces: UnsafeBufferPointer<iovec>, at offset: Int) throws(FileError) {
        let isAligned = pieces.allSatisfy {
            Int(bitPattern: $0.iov_base) % WholeBlocks.size == 0 && $0.iov_len % WholeBlocks.size == 0
        }
        guard isAligned, offset % WholeBlocks.size == 0 else { throw FileError("write", "direct file", code: EINVAL) }
        file.directory.state.withLock { $0.directWrites += 1 }
        try file.write(pieces, at: offset)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
        try file.read(into: buffer, at: offset)
    }

    func sync() throws(FileError) { try file.sync() }
    func size() throws(FileError) -> Int { try file.size() }
}
