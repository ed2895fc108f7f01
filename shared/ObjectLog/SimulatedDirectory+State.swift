import Glibc

extension SimulatedDirectory {
    struct Content {
        var cached = SimulatedContent()
        var durable = SimulatedContent()
        /// Written since the last sync: sectors of each page, one bit a sector.
        var dirty: [Int: UInt32] = [:]
        /// Emptied since the last sync.
        var isTruncated = false
    }

    /// What became of a name.
    struct NameChange {
        var removed: String?
        var added: (name: String, file: Int)?
    }

    struct State {
        var contents: [Int: Content] = [:]
        var names: [String: Int] = [:]
        /// The names at the last sync of the directory, and what was done to them since.
        var syncedNames: [String: Int] = [:]
        var nameChanges: [NameChange] = []
        var nextFile = 0
        /// Made, and not yet renamed to what they are for.
        var fresh: Set<Int> = []
        var isLocked = false
        /// Operations that change something, since the start.
        var operations = 0
        var syncs = 0
        var directWrites = 0
        var crashAt: Int?
        var isDead = false
        var readsWhenDead = false
        var failsSyncs = false
        var capacity = Int.max
        var holdsSyncs = false
        /// Codes that operations fail with, by their names.
        var failures: [Operation: Int32] = [:]
        var lie: Lie?
        /// How often the lie could have been told.
        var occasions = 0
        /// Files whose last sync is still to be done, by a lie.
        var unsynced: Set<Int> = []
    }
}

extension SimulatedDirectory.State {
    var used: Int { names.values.reduce(0) { $0 + (contents[$1]?.cached.size ?? 0) } }

    func checkFailure(_ operation: SimulatedDirectory.Operation, _ name: String) throws(FileError) {
        if let code = failures[operation] { throw FileError("\(operation)", name, code: code) }
    }

    func checkAlive() throws(FileError) {
        if isDead { throw FileError("use", "disk", code: EIO) }
    }

    func checkReadable() throws(FileError) {
        if !readsWhenDead { try checkAlive() }
    }

    /// Counts an operation; the one of the crash throws ESHUTDOWN.
    mutating func operate() throws(FileError) {
        try checkAlive()
        operations += 1
        if let crashAt, operations >= crashAt {
            isDead = true
            throw FileError("use", "disk", code: ESHUTDOWN)
        }
        for file in unsynced { contents[file]?.makeDurable() }
        unsynced = []
    }

    mutating func note(_ change: SimulatedDirectory.NameChange) {
        nameChanges.append(change)
        change.apply(to: &names)
    }

    /// Changes of names that were not synced reach the disk in their order up to some moment, or each for itself.
    mutating func loseNames(_ loss: SimulatedDirectory.Loss, using generator: inout some RandomNumberGenerator) {
        if loss != .kept {
            names = syncedNames
            let isInOrder = Bool.random(using: &generator)
            let reached = Int.random(in: 0...nameChanges.count, using: &generator)
            for (number, change) in nameChanges.enumerated() where loss == .torn {
                if isInOrder ? number < reached : Bool.random(using: &generator) { change.apply(to: &names) }
            }
        }
        syncedNames = names
        nameChanges = []
    }

    mutating func sync(_ file: Int) {
        if fresh.contains(file) ? tells(.newFileSync) : tells(.fileSync) { return }
        if has(.lateSync) { unsynced.insert(file) } else { contents[file]?.makeDurable() }
    }

    mutating func put(_ pieces: UnsafeBufferPointer<iovec>, _ file: Int, _ offset: Int) {
        guard var content = contents.removeValue(forKey: file) else { return }
        var offset = offset
        for piece in pieces {
            content.write(UnsafeRawBufferPointer(start: piece.iov_base, count: piece.iov_len), at: offset)
            offset += piece.iov_len
        }
        contents[file] = content
    }
}

extension SimulatedDirectory.NameChange {
    func apply(to names: inout [String: Int]) {
        if let removed { names[removed] = nil }
        if let added { names[added.name] = added.file }
    }
}
