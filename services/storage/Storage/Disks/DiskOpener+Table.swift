import Logging
import MetadataIndex

extension DiskOpener {
    /// The table in force: the stored one with what the configuration adds, or a new one at the first start. Durable.
    func table(_ file: DiskTableFile) throws -> DiskTable {
        let configured = options.disks
        guard !configured.isEmpty, Set(configured).count == configured.count else {
            throw StorageError.unavailable("storage.disks must name different directories")
        }
        guard let stored = try file.load() else { return try firstTable(file) }
        var table = stored
        // Of a disk that was retired and is configured no more nothing needs to be known.
        table.disks.removeAll { $0.standing == .retired && !configured.contains($0.path) }
        for path in configured where table.disk(at: path) == nil {
            try refuseUsed(path)
            let number = try table.add(path, weight: capacity(path))
            logger.notice("a new disk", metadata: ["disk": "\(path)", "number": "\(number + 1)"])
        }
        for disk in table.disks where disk.standing != .retired && !configured.contains(disk.path) {
            logger.warning(
                "a disk of this node is missing in storage.disks; it stays in service until it is drained",
                metadata: ["disk": "\(disk.path)"])
        }
        for disk in table.disks where disk.standing == .retired {
            logger.notice("a retired disk may be taken out of storage.disks", metadata: ["disk": "\(disk.path)"])
        }
        guard table != stored else { return stored }
        table.revision += 1
        try file.store(table)
        return table
    }

    /// Without disks.json nobody knows which disk holds what: logs that are there must not be used as if they were new.
    private func firstTable(_ file: DiskTableFile) throws -> DiskTable {
        for path in options.disks { try refuseUsed(path) }
        let table = DiskTable(options.disks.map { ($0, capacity($0)) })
        try file.store(table)
        return table
    }

    /// Only an empty directory becomes a disk: what is in a log may be older than what the other disks have.
    func refuseUsed(_ path: String) throws {
        guard try hasLog(path) else { return }
        throw StorageError.unavailable(
            "\(path) has the log of a disk, but \(options.dataDirectory)/\(DiskTableFile.name) does not know it: "
                + "restore that file, or give an empty directory")
    }
}
