import Model

/// An entry that stands in a part of the log.
public enum PlacedEntry: Sendable {
    case register(RegisterName, IndexedRegister)
    case blob(BlobKey, BlobLocation)
}

extension MetadataIndex {
    /// Visits every register and blob in force whose record begins within these raw positions, until the body says false.
    /// Looks at the whole index: for what happens rarely.
    public func visitEntries(in positions: Range<UInt64>, _ body: (PlacedEntry) throws -> Bool) throws {
        var isDone = false
        let registers = [IndexKeys.registers]
        try database.scan(from: registers, below: [IndexKeys.registers + 1]) { step in
            guard let position = IndexedRegister.position(in: step.value) else { throw Self.unreadable }
            guard positions.contains(position) else { return .next }
            guard let name = RegisterName(indexKey: step.key.dropFirst()),
                let found = IndexedRegister(decoding: step.value)
            else { throw Self.unreadable }
            isDone = try !body(.register(name, found))
            return isDone ? .stop : .next
        }
        guard !isDone else { return }
        try database.scan(from: [IndexKeys.blobs], below: [IndexKeys.blobs + 1]) { step in
            guard let entry = BlobEntry(decoding: step.value) else { throw Self.unreadable }
            guard case .stored(let location) = entry, positions.contains(location.position) else { return .next }
            guard let key = BlobKey(step.key.dropFirst()) else { throw Self.unreadable }
            return try body(.blob(key, location)) ? .next : .stop
        }
    }

    /// The same as a list. More than `limit` entries are left out.
    public func entries(in positions: Range<UInt64>, limit: Int = .max) throws -> [PlacedEntry] {
        var entries: [PlacedEntry] = []
        try visitEntries(in: positions) { entry in
            guard entries.count < limit else { return false }
            entries.append(entry)
            return true
        }
        return entries
    }

    private static var unreadable: IndexError { .corruption("unreadable entry") }
}
