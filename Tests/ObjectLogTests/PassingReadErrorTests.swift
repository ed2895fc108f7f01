import Glibc
import ObjectLog
import Synchronization
import Testing

/// A device whose next reads fail, and then no more.
private final class PassingErrors: LogDirectory {
    private let whole: SimulatedDirectory
    fileprivate let failing: Atomic<Int>

    init(_ whole: SimulatedDirectory, failing: Int) {
        self.whole = whole
        self.failing = Atomic(failing)
    }

    var path: String { whole.path }
    func lock() -> Bool { whole.lock() }
    func unlock() { whole.unlock() }
    func names() throws(FileError) -> [String] { try whole.names() }
    func size(of name: String) throws(FileError) -> Int { try whole.size(of: name) }
    func space() throws(FileError) -> DiskSpace { try whole.space() }
    func create(_ name: String) throws(FileError) -> any LogFile { try whole.create(name) }
    func rename(_ name: String, to other: String) throws(FileError) { try whole.rename(name, to: other) }
    func remove(_ name: String) throws(FileError) { try whole.remove(name) }
    func sync() throws(FileError) { try whole.sync() }

    func open(_ name: String) throws(FileError) -> any LogFile {
        let file = try whole.open(name)
        return name.hasPrefix("segment-") ? PassingErrorFile(file, self) : file
    }
}

private final class PassingErrorFile: LogFile {
    private let whole: any LogFile
    private let directory: PassingErrors

    init(_ whole: any LogFile, _ directory: PassingErrors) { (self.whole, self.directory) = (whole, directory) }

    func write(_ pieces: UnsafeBufferPointer<iovec>, at offset: Int) throws(FileError) {
        try whole.write(pieces, at: offset)
    }
    func sync() throws(FileError) { try whole.sync() }
    func size() throws(FileError) -> Int { try whole.size() }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
        // The header of a segment, and its trailer, are read on their own.
        if buffer.count > 64, directory.failing.wrappingSubtract(1, ordering: .relaxed).oldValue > 0 {
            throw FileError("read", "segment", code: EIO)
        }
        return try whole.read(into: buffer, at: offset)
    }
}

@Suite struct PassingReadErrorTests {
    @Test(
        "A read error that passes while the log is opened is no loss; one that stays is",
        arguments: [1, 2, 1_000_000_000])
    func opening(failing: Int) throws {
        let directory = SimulatedDirectory()
        let open = try OpenLog(directory)
        for number in 0..<10 { try open.write(.text("record \(number)", payload: 100)) }
        open.log.stop()
        let next = try OpenLog(PassingErrors(directory, failing: failing), starts: false)
        defer { next.log.stop() }
        #expect(next.report.damages.isEmpty == (failing < 10))
        if failing < 10 { #expect(next.replayed.count == 10) }
    }
}
