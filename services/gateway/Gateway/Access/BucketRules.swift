import ClusterState
import Logging
import S3Protocol
import Synchronization
import Wire

/// What decides about access to a bucket, parsed.
struct BucketRules: Sendable {
    var bucket: String
    var owner: String
    var acl: AccessControlPolicy
    /// Without ownership controls: whoever writes an object owns it, and access control lists count.
    var ownership = ObjectOwnership.objectWriter
    var block = PublicAccessBlock()
    var policy: BucketPolicy?
    var isPolicyPublic = false
    /// Whoever is not the owner must say that the costs are theirs.
    var requesterPays = false
    /// LeoFS's way: who may list the bucket may read every object in it.
    var listCoversObjects = false

    init(_ record: BucketRecord, listCoversObjects: Bool = false) throws(S3Error) {
        bucket = record.name
        owner = record.owner
        acl = AccessControlPolicy(owner: record.owner, canned: CannedACL(rawValue: record.acl) ?? .private)
        self.listCoversObjects = listCoversObjects
        if let bytes = record.document(Self.aclDocument) {
            acl = try AccessControlPolicy(parsing: bytes)
            // The bucket may have been given to somebody else since.
            acl.owner = record.owner
        }
        if let bytes = record.document("ownershipControls") { ownership = try ObjectOwnership(parsing: bytes) }
        if let bytes = record.document("publicAccessBlock") { block = try PublicAccessBlock(parsing: bytes) }
        if let bytes = record.document("requestPayment") {
            requesterPays = try RequestPayment(parsing: bytes) == .requester
        }
        if let bytes = record.document("policy") {
            // Users that it names may have been deleted since: then it names nobody by them.
            let policy = try BucketPolicy(parsing: bytes, bucket: record.name) { _ in true }
            self.policy = policy
            isPolicyPublic = policy.isPublic
        }
    }

    /// Grants that no canned list says.
    static let aclDocument = "acl"
}

/// Rules of buckets, parsed once as long as their records stay the same.
final class BucketRulesCache: Sendable {
    private struct Entry {
        var record: BucketRecord
        var rules: BucketRules
    }

    private static let entriesMax = 4096
    private let listCoversObjects: Bool
    private let entries = Mutex<[String: Entry]>([:])

    init(listCoversObjects: Bool) { self.listCoversObjects = listCoversObjects }

    /// Throws when a configuration cannot be read: nobody is let in by rules that are not understood.
    func rules(of record: BucketRecord) throws(S3Error) -> BucketRules {
        let known = entries.withLock { $0[record.name] }
        if let known, known.record == record { return known.rules }
        let rules: BucketRules
        do {
            rules = try BucketRules(record, listCoversObjects: listCoversObjects)
        } catch {
            throw S3Error(.internalError, "A configuration of the bucket cannot be read: \(error)")
        }
        entries.withLock { entries in
            if entries.count >= Self.entriesMax { entries.removeAll() }
            entries[record.name] = Entry(record: record, rules: rules)
        }
        return rules
    }
}
