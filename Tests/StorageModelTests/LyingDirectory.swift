import Glibc
import ObjectLog
import Threads

/// A disk that breaks its word: a test that finds nothing wrong with it proves nothing.
final class LyingDirectory: LogDirectory {
    enum Lie: CaseIterable, Sendable {
        /// Every third sync of a file says that it is done, and is not.
        case fileSync
        /// Every fifth write to a segment in use is not done.
        case write
    }

    private let honest: any LogDirectory
    private let lie: Lie
    private let count = Monitor(0)

    init(_ honest: any LogDirectory, _ lie: Lie) { (self.honest, self.lie) = (honest, lie) }

    var path: String { honest.path }
    func lock() throws(FileError) -> Bool { try honest.lock() }
    func unlock() { honest.unlock() }
    func names() throws(FileError) -> [String] { try honest.names() }
    func size(of name: String) throws(FileError) -> Int { try honest.size(of: name) }
    func space() throws(FileError) -> DiskSpace { try honest.space() }
    func rename(_ name: String, to other: String) throws(FileError) { try honest.rename(name, to: other) }
    func remove(_ name: String) throws(FileError) { try honest.remove(name) }
    func sync() throws(FileError) { try honest.sync() }

    func create(_ name: String) throws(FileError) -> any LogFile {
        LyingFile(try honest.create(name), self, isNew: true)
    }

    func open(_ name: String) throws(FileError) -> any LogFile {
        LyingFile(try honest.open(name), self, isNew: false)
    }

    fileprivate func skips(_ operation: Lie) -> Bool {
        guard lie == operation else { return false }
        let every = operation == .fileSync ? 3 : 5
        return count.withLock {
            $0 += 1
            return $0 % every == 0
        }
    }
}

private final class LyingFile: LogFile {
    private let honest: any LogFile
    private let directory: LyingDirectory
    private let isNew: Bool

    init(_ honest: any LogFile, _ directory: LyingDirectory, isNew: Bool) {
        (self.honest, self.directory, self.isNew) = (honest, directory, isNew)
    }

    func write(_ pieces: UnsafeBufferPointer<iovec>, at offset: Int) throws(FileError) {
        if !isNew, directory.skips(.write) { return }
        try honest.write(pieces, at: offset)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
        try honest.read(into: buffer, at: offset)
    }

    func sync() throws(FileError) { if !directory.skips(.fileSync) { try honest.sync() } }
    func size() throws(FileError) -> Int { try honest.size() }
}
