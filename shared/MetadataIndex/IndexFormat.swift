import Model

/// Says which version of the format the entries have, and to which log they belong.
enum IndexFormat {
    /// Grows with every change of keys or values; an index of another version is made anew from the log.
    private static let version: UInt8 = 2

    /// Compares. Returns what an empty index must be told.
    static func check(_ database: Database, disk: DiskID) throws -> DatabaseBatch? {
        guard let found = try database.get(IndexKeys.format, { Array($0) }) else {
            var isEmpty = true
            try database.scan(from: [0], below: [0xff]) { _ in
                isEmpty = false
                return .stop
            }
            guard isEmpty else { throw IndexError.corruption("the index has no format version") }
            let batch = DatabaseBatch()
            batch.put(IndexKeys.format, [version] + disk.bytes)
            return batch
        }
        guard found.first == version else {
            throw IndexError.corruption("the index has format \(found.first ?? 0), not \(version)")
        }
        guard let owner = DiskID(found.dropFirst()) else { throw IndexError.corruption("the index has no owner") }
        guard owner == disk else { throw IndexError.corruption("the index belongs to disk \(owner), not to \(disk)") }
        return nil
    }
}
