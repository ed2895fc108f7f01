import Glibc

extension SimulatedDirectory {
    /// How a disk, or who writes to it, breaks a promise: a test that finds nothing wrong with it proves nothing.
    public enum Lie: CaseIterable, Sendable {
        /// Every third sync of a file in use says that it is done, and is not.
        case fileSync
        /// A sync is done with the next operation only: what waited for it is acknowledged before.
        case lateSync
        /// A file that was just made gets its name without ever having been synced.
        case newFileSync
        /// Names made, changed and removed are never synced.
        case directorySync
        /// Every fifth write to a file in use is not done.
        case write
        /// What was cut off is not overwritten with zeros.
        case zeroing
    }
}

extension SimulatedDirectory.State {
    func has(_ lie: SimulatedDirectory.Lie) -> Bool { self.lie == lie }

    /// Whether it is told this time.
    mutating func tells(_ lie: SimulatedDirectory.Lie) -> Bool {
        guard has(lie) else { return false }
        occasions += 1
        return switch lie {
        case .fileSync: occasions % 3 == 0
        case .write: occasions % 5 == 0
        case .lateSync, .newFileSync, .directorySync, .zeroing: true
        }
    }

    mutating func skipsWrite(to file: Int, of pieces: UnsafeBufferPointer<iovec>) -> Bool {
        guard !fresh.contains(file), has(.write) || has(.zeroing) else { return false }
        return tells(.write) || pieces.allSatisfy { UnsafeRawBufferPointer($0).isZero } && tells(.zeroing)
    }
}

extension UnsafeRawBufferPointer {
    fileprivate init(_ piece: iovec) { self.init(start: piece.iov_base, count: piece.iov_len) }
}
