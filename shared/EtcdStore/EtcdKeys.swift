import ClusterStore
import Foundation

/// Where the keys of the state lie in etcd, and what else lies there.
///
/// `ROOT/state/KEY` are the entries. `ROOT/marks/CLIENT/SLOT` tell a repeated transaction that it was done before.
/// `ROOT/about/…` says what the keys are.
struct EtcdKeys: Sendable {
    let root: String

    /// Format of all keys under the root.
    var format: String { root + "about/format" }
    /// There while entries are brought from elsewhere: nobody may open the store yet.
    var filling: String { root + "about/filling" }
    /// What is added to etcd's revisions, so that a state that moved here goes on with greater ones.
    var offset: String { root + "about/revision-offset" }

    func mark(client: String, slot: Int) -> String { base64("\(root)marks/\(client)/\(slot)".utf8) }
    func entry(_ key: String) -> String { base64((prefix + key).utf8) }
    /// A key that never exists: asked for when only the revision matters.
    var nothing: String { base64("\(root)about/nothing".utf8) }

    private var prefix: String { root + "state/" }

    /// First key and end of a range in base64; nil when there can be nothing in it.
    func bounds(_ range: KeyRange) -> (first: String, end: String)? {
        if let end = range.end, !range.first.utf8.lexicographicallyPrecedes(end.utf8) { return nil }
        let end = range.end.map { Array((prefix + $0).utf8) } ?? Array((root + "state0").utf8)
        return (entry(range.first), base64(end))
    }

    /// The key of the state; nil when etcd answered with another one.
    func key(_ text: String) -> String? {
        let bytes = base64Bytes(text)
        guard bytes.starts(with: prefix.utf8) else { return nil }
        return String(decoding: bytes.dropFirst(prefix.utf8.count), as: UTF8.self)
    }
}
