import Glibc

/// One open file of a log directory.
public protocol LogFile: AnyObject, Sendable {
    /// Writes all pieces, one after the other, or throws.
    func write(_ pieces: UnsafeBufferPointer<iovec>, at offset: Int) throws(FileError)
    /// Fills the buffer as far as the file reaches; returns how much.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int
    /// Fills the whole buffer with what the system has in memory. False: the device would have to be asked, or the file ends
    /// before.
    func readCached(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool
    /// Has the device begin to bring so much into memory and no more. What is read in several steps looks to the system as if
    /// all that follows were going to be read too.
    func expect(_ range: Range<Int>)
    /// When this returns, everything written before survives a power cut.
    func sync() throws(FileError)
    func size() throws(FileError) -> Int
    /// Has the device write what is cached of a range. Promises nothing: a sync that follows has less to do.
    func writeBack(_ range: Range<Int>)
    /// Gives the end of the file back to the file system, as far as that can be done.
    func cut(to size: Int)
    /// Has the file system set space aside for so many bytes from the begin on, where it can: they read as zeros.
    func reserve(_ size: Int) throws(FileError)
}

/// Files in memory, for which it does not matter what a read, a sync or a removal costs.
extension LogFile {
    public func readCached(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool { false }
    public func expect(_ range: Range<Int>) {}
    public func writeBack(_ range: Range<Int>) {}
    public func cut(to size: Int) {}
    public func reserve(_ size: Int) throws(FileError) {}
}

/// Bytes of the file system that holds a log.
public struct DiskSpace: Equatable, Sendable {
    /// That this process may still use.
    public var free: Int
    public var total: Int

    public init(free: Int, total: Int) {
        self.free = free
        self.total = total
    }
}

/// The directory of one log: what the log asks of a file system. Tests inject ``SimulatedDirectory``.
public protocol LogDirectory: AnyObject, Sendable {
    var path: String { get }
    /// Takes the directory for this process; false when another process has it.
    func lock() throws(FileError) -> Bool
    /// Gives the directory back.
    func unlock()
    func names() throws(FileError) -> [String]
    /// Of a file, by its name.
    func size(of name: String) throws(FileError) -> Int
    func space() throws(FileError) -> DiskSpace
    /// Makes an empty file, replacing one of that name.
    func create(_ name: String) throws(FileError) -> any LogFile
    func open(_ name: String) throws(FileError) -> any LogFile
    /// A file whose writes go past the system's cache; nil: the file system does not know that, or it cannot be opened now.
    /// What is written, where and from where must be multiples of 4096. EINVAL: it asks for larger ones.
    func openDirect(_ name: String) -> (any LogFile)?
    func rename(_ name: String, to other: String) throws(FileError)
    func remove(_ name: String) throws(FileError)
    /// When this returns, names made, renamed and removed before survive a power cut.
    func sync() throws(FileError)
}

extension LogDirectory {
    public func openDirect(_ name: String) -> (any LogFile)? { nil }
}

extension LogFile {
    public func write(_ bytes: [UInt8], at offset: Int = 0) throws(FileError) {
        var failure: FileError?
        bytes.withUnsafeBytes { buffer in
            do throws(FileError) { try write(buffer, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Writes all bytes, or throws.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
        var failure: FileError?
        withUnsafePointer(to: iovec(bytes)) {
            do throws(FileError) {
                try write(UnsafeBufferPointer(start: $0, count: 1), at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// The bytes from an offset to the end of the file, at most `count`.
    public func read(count: Int, at offset: Int) throws(FileError) -> [UInt8] {
        var failure: FileError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(FileError) {
                filled = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }
}

/// The text of an errno.
func systemErrorText(_ code: Int32) -> String { String(cString: strerror(code)) }
