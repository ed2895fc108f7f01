import MetadataIndex
import Model

/// A record in force that a disk has but cannot read.
struct DamagedRecord: Hashable, Sendable {
    enum Kind: String, Sendable, CaseIterable { case register, blob, chunk }

    enum Key: Hashable, Sendable {
        case register(RegisterName)
        /// A chunk, or a blob that stands beside its register.
        case content(BlobKey)
    }

    var key: Key
    /// The register that a blob belongs to, where it is known; repair needs it for blobs that stand beside a register.
    var owner: RegisterName?

    static func register(_ name: RegisterName) -> Self { Self(key: .register(name), owner: name) }

    static func content(_ key: BlobKey, owner: RegisterName? = nil) -> Self {
        Self(key: .content(key), owner: owner)
    }

    var kind: Kind {
        switch key {
        case .register: .register
        case .content(let key): key.index == nil ? .blob : .chunk
        }
    }
}
