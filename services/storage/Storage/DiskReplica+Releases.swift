import MetadataIndex
import Model
import ObjectLog

/// Content in chunks that nobody needs any more: told of, and dropped.
extension DiskReplica {
    /// Drops chunks of a blob for good, also those that are yet to come. Completes with how many were here, when it is
    /// durable. Dropping them again changes nothing.
    func dropChunks(_ blob: BlobID, _ indexes: [UInt32], _ completion: @escaping Completion<Int>) {
        run(completion) {
            var (wanted, present) = ([BlobKey](), 0)
            for key in indexes.map({ BlobKey(ChunkName(blob: blob, index: $0)) }) {
                switch try index.entry(key) {
                case .dropped: continue
                case .stored: present += 1
                case nil: break
                }
                wanted.append(key)
            }
            guard !wanted.isEmpty else { return { _ in completion(.success(0)) } }
            let slots = SlotSet(wanted.map { SlotSet.slot(ofKey: $0.bytes) })
            let entry = LogEntry.dropChunks(blob, wanted.compactMap(\.index))
            appendAll([entry], urgency: .now, priority: .deletion, owning: slots) { [wanted, present] result in
                if case .success = result {
                    for key in wanted { self.damage.healed(.content(key), disk: self.path) }
                }
                completion(result.map { present })
            }
            return nil
        }
    }

    /// Those with larger ids than `after`, the oldest first, that were noted before a time (wall clock, milliseconds).
    func releases(after: [UInt8], limit: Int, notedBefore: Int64) throws -> [BlobRelease] {
        try index.releases(after: after, limit: limit, notedBefore: notedBefore)
    }

    /// They were dealt with. After a crash they may be told of again: to deal with them twice does no harm.
    func forgetReleases(_ ids: [[UInt8]]) throws { try index.forgetReleases(ids) }
}
