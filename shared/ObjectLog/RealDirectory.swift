import CPageCache
import Glibc
import Synchronization

/// A directory of the system's file system.
public final class RealDirectory: LogDirectory {
    public let path: String
    private let lockDescriptor = Mutex<Int32>(-1)
    /// Of files that are there already.
    private let access: Int32

    /// A directory that is another process's: its files are only read.
    public init(reading path: String) {
        self.path = path
        access = O_RDONLY | O_NOFOLLOW
    }

    /// Makes the directory and its parents when they are missing.
    public init(_ path: String) throws(FileError) {
        self.path = path
        access = O_RDWR
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += part + "/"
            if mkdir(made, 0o700) != 0, errno != EEXIST { throw FileError("mkdir", made, code: errno) }
        }
    }

    deinit { unlock() }

    public func lock() throws(FileError) -> Bool {
        let name = path + "/lock"
        let descriptor = Glibc.open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError("open", name, code: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(descriptor)
            if code == EWOULDBLOCK { return false }
            throw FileError("flock", name, code: code)
        }
        lockDescriptor.withLock { $0 = descriptor }
        return true
    }

    public func unlock() {
        lockDescriptor.withLock {
            if $0 >= 0 { close($0) }
            $0 = -1
        }
    }

    public func names() throws(FileError) -> [String] {
        guard let directory = opendir(path) else { throw FileError("opendir", path, code: errno) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    public func size(of name: String) throws(FileError) -> Int {
        var status = stat()
        guard stat(path + "/" + name, &status) == 0 else { throw FileError("stat", path + "/" + name, code: errno) }
        return Int(status.st_size)
    }

    public func space() throws(FileError) -> DiskSpace {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw FileError("statvfs", path, code: errno) }
        let block = Int(status.f_frsize)
        return DiskSpace(free: Int(status.f_bavail) * block, total: Int(status.f_blocks) * block)
    }

    public func create(_ name: String) throws(FileError) -> any LogFile {
        try RealFile(path + "/" + name, flags: O_RDWR | O_CREAT | O_TRUNC)
    }

    public func open(_ name: String) throws(FileError) -> any LogFile {
        try RealFile(path + "/" + name, flags: access)
    }

    /// For reading, without a look at the device; nil: the device would have to be asked, or it is not there.
    func openCached(_ name: String) -> (any LogFile)? { RealFile(cached: path + "/" + name) }

    public func openDirect(_ name: String) -> (any LogFile)? {
        try? RealFile(path + "/" + name, flags: O_RDWR | martlet_direct_flag)
    }

    public func rename(_ name: String, to other: String) throws(FileError) {
        guard Glibc.rename(path + "/" + name, path + "/" + other) == 0 else {
            throw FileError("rename", path + "/" + name, code: errno)
        }
    }

    public func remove(_ name: String) throws(FileError) {
        guard Glibc.unlink(path + "/" + name) == 0 || errno == ENOENT else {
            throw FileError("unlink", path + "/" + name, code: errno)
        }
    }

    public func sync() throws(FileError) {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("open", path, code: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileError("fsync", path, code: errno) }
    }
}

private final class RealFile: LogFile {
    private let path: String
    private let descriptor: Int32

    init(_ path: String, flags: Int32) throws(FileError) {
        self.path = path
        descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError("open", path, code: errno) }
    }

    init?(cached path: String) {
        self.path = path
        descriptor = martlet_open_cached(path)
        guard descriptor >= 0 else { return nil }
    }

    deinit { close(descriptor) }

    func write(_ pieces: UnsafeBufferPointer<iovec>, at offset: Int) throws(FileError) {
        var offset = offset
        var first = 0
        /// What a short write has already taken of the first piece.
        var skipped = 0
        while first < pieces.count {
            let written: Int
            if skipped > 0 {
                let piece = pieces[first]
                written = pwrite(descriptor, piece.iov_base + skipped, piece.iov_len - skipped, off_t(offset))
            } else {
                let count = min(pieces.count - first, Int(IOV_MAX))
                written = pwritev(descriptor, pieces.baseAddress! + first, Int32(count), off_t(offset))
            }
            if written < 0 {
                if errno == EINTR { continue }
                throw FileError("write", path, code: errno)
            }
            if written == 0, pieces[first].iov_len > skipped { throw FileError("write", path, code: EIO) }
            offset += written
            skipped += written
            while first < pieces.count, skipped >= pieces[first].iov_len {
                skipped -= pieces[first].iov_len
                first += 1
            }
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let count = pread(descriptor, buffer.baseAddress! + filled, buffer.count - filled, off_t(offset + filled))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError("read", path, code: errno)
            }
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    func readCached(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool {
        martlet_read_cached(descriptor, buffer.baseAddress, buffer.count, off_t(offset)) == buffer.count
    }

    func expect(_ range: Range<Int>) {
        _ = posix_fadvise(descriptor, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_WILLNEED)
    }

    func sync() throws(FileError) {
        guard fdatasync(descriptor) == 0 else { throw FileError("fdatasync", path, code: errno) }
    }

    func size() throws(FileError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError("fstat", path, code: errno) }
        return Int(status.st_size)
    }

    func writeBack(_ range: Range<Int>) {
        _ = martlet_write_back(descriptor, Int64(range.lowerBound), Int64(range.count))
    }

    func reserve(_ size: Int) throws(FileError) {
        guard martlet_reserve(descriptor, off_t(size)) != 0 else { return }
        // The writes that follow will tell what it cannot say.
        guard errno != EOPNOTSUPP, errno != ENOSYS else { return }
        throw FileError("fallocate", path, code: errno)
    }

    func cut(to size: Int) { _ = ftruncate(descriptor, off_t(size)) }
}

private let IOV_MAX = 1024
