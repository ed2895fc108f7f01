import MetadataIndex
import Model
import Wire

/// A record in force that a disk has but cannot read.
struct DamagedRecord: Hashable, Sendable {
    enum Kind: String, Sendable, CaseIterable { case register, blob, chunk }

    enum Key: Hashable, Sendable {
        case register(Model.RegisterName)
        /// A chunk, or a blob that stands beside its register.
        case content(BlobKey)
    }

    var key: Key
    /// Raw position in the log of the copy that cannot be read. Once the index names another one, the damage is healed.
    var position: UInt64
    /// The register that a blob belongs to, where it is known; repair needs it for blobs that stand beside a register.
    var owner: Model.RegisterName?

    static func register(_ name: Model.RegisterName, at position: UInt64) -> Self {
        Self(key: .register(name), position: position, owner: name)
    }

    static func content(_ key: BlobKey, at position: UInt64, owner: Model.RegisterName? = nil) -> Self {
        Self(key: .content(key), position: position, owner: owner)
    }

    /// Content that should be here and is not: it could not be read when its slot came from another disk.
    static func missing(_ key: BlobKey, owner: Model.RegisterName?) -> Self { .content(key, at: 0, owner: owner) }

    /// Whether it is there again, or another copy is, when the index has the key at this position.
    func isHealed(by current: UInt64?) -> Bool { position == 0 ? current != nil : current != position }

    var kind: Kind {
        switch key {
        case .register: .register
        case .content(let key): key.index == nil ? .blob : .chunk
        }
    }
}

extension DamagedItem {
    init(_ item: DamageList.Item) {
        self.init(id: item.id, name: item.record.owner.map { Wire.RegisterName($0) }, disk: item.disk)
        guard case .content(let key) = item.record.key else { return }
        blob = key.blob.bytes
        index = key.index ?? 0
        chunk = key.index != nil
    }
}
