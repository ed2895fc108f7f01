import Model

extension MetadataIndex {
    /// Content in force that is marked as damaged, and the register beside which it stands, where that is known.
    public func damagedBlobs(
        limit: Int
    ) throws -> [(key: BlobKey, location: BlobLocation, owner: RegisterName?)] {
        var found: [(key: BlobKey, owner: RegisterName?)] = []
        try database.scan(from: [IndexKeys.damage], below: [IndexKeys.damage + 1]) { step in
            guard found.count < limit else { return .stop }
            guard let key = BlobKey(step.key.dropFirst()) else {
                throw IndexError.corruption("unreadable key of damaged content")
            }
            found.append((key, step.value.isEmpty ? nil : RegisterName(indexKey: step.value)))
            return .next
        }
        return try found.compactMap { key, owner in
            try blob(key).flatMap { $0.isDamaged ? (key, $0, owner) : nil }
        }
    }
}
