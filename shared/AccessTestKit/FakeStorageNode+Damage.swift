import Model
import Wire

extension FakeStorageNode {
    /// Adds damaged content, of a chunk or of a blob beside a register.
    public mutating func damage(_ item: DamagedItem) {
        var item = item
        item.id = (damage.keys.max() ?? 0) + 1
        damage[item.id] = item
    }

    func isDamaged(_ blob: BlobID) -> Bool { damage.values.contains { !$0.chunk && $0.blob == blob.bytes } }

    func isDamaged(_ chunk: ChunkName) -> Bool {
        damage.values.contains { $0.chunk && $0.blob == chunk.blob.bytes && $0.index == chunk.index }
    }

    mutating func heal(_ isHealed: (DamagedItem) -> Bool) { damage = damage.filter { !isHealed($0.value) } }

    func fetchDamage(_ request: FetchDamageRequest) throws -> Reply {
        let page = damage.values.filter { $0.id > request.after }.sorted { $0.id < $1.id }
        return (
            FetchDamageReply(items: Array(page.prefix(Int(request.limit))), total: UInt64(damage.count)).encoded(), []
        )
    }

    // MARK: - Releases

    /// Their age is their `notedMilliseconds`: there is no clock here.
    func fetchReleases(_ request: FetchReleasesRequest) throws -> Reply {
        let page = releases.filter {
            request.after.lexicographicallyPrecedes($0.id) && $0.notedMilliseconds >= request.ageMilliseconds
        }
        .sorted { $0.id.lexicographicallyPrecedes($1.id) }
        return (
            FetchReleasesReply(releases: Array(page.prefix(Int(request.limit))), total: UInt64(releases.count))
                .encoded(), []
        )
    }

    mutating func forgetReleases(_ request: ForgetReleasesRequest) throws -> Reply {
        releases.removeAll { request.ids.contains($0.id) }
        return (ForgetReleasesReply().encoded(), [])
    }
}
