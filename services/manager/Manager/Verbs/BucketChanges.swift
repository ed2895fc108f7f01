import ClusterState
import Model
import Wire

/// Changes of buckets, each one transaction. A repeated request answers as the first did.
enum BucketChanges {
    static func apply(
        _ request: ChangeBucketRequest, _ state: ManagerState, _ edit: inout StateEdit, _ context: VerbContext
    ) throws(VerbError) -> ChangeBucketReply {
        let present = state.view.buckets[request.name]
        if request.change == .containerCreate {
            return try ContainerChanges.create(request, state, &edit, context)
        }
        if request.change == .bucketCreate { return try create(request, present, state, &edit, context) }
        guard let bucket = present, request.id.isEmpty || request.id == bucket.id else {
            return ChangeBucketReply(outcome: .bucketAbsent)
        }
        guard request.owner.isEmpty || request.owner == bucket.owner else {
            return ChangeBucketReply(outcome: .bucketExistsForeign, bucket: bucket)
        }
        if bucket.state == .bucketRemoving { return changeRemoved(request, bucket, &edit) }
        return try change(request, bucket, &edit)
    }

    /// The repair process is to remove the bucket with all that is in it. Nothing is written to it from now on.
    static func beginRemoval(_ bucket: BucketRecord, _ edit: inout StateEdit) {
        var bucket = bucket
        bucket.state = .bucketRemoving
        edit.put(ClusterKeys.bucket(bucket.name), bucket)
    }

    /// Only the repair process ends a removal.
    private static func changeRemoved(
        _ request: ChangeBucketRequest, _ bucket: BucketRecord, _ edit: inout StateEdit
    ) -> ChangeBucketReply {
        switch request.change {
        case .bucketRemovalFinish: edit.delete(ClusterKeys.bucket(bucket.name))
        case .bucketRemovalCancel:
            var bucket = bucket
            bucket.state = .bucketActive
            edit.put(ClusterKeys.bucket(bucket.name), bucket)
        default: return ChangeBucketReply(outcome: .bucketBusy, bucket: bucket)
        }
        return ChangeBucketReply(outcome: .bucketChanged, bucket: bucket)
    }

    private static func create(
        _ request: ChangeBucketRequest, _ present: BucketRecord?, _ state: ManagerState, _ edit: inout StateEdit,
        _ context: VerbContext
    ) throws(VerbError) -> ChangeBucketReply {
        if let present {
            // This very creation was carried out before, and its answer was lost.
            if !request.id.isEmpty, request.id == present.id {
                return ChangeBucketReply(outcome: .bucketChanged, bucket: present)
            }
            if present.state != .bucketActive { return ChangeBucketReply(outcome: .bucketBusy, bucket: present) }
            let owned = present.owner == request.owner
            return ChangeBucketReply(outcome: owned ? .bucketExistsOwned : .bucketExistsForeign, bucket: present)
        }
        guard isValidName(request.name) else {
            throw VerbError(
                .invalidArgument, "A bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens")
        }
        guard state.view.user(id: request.owner) != nil else { throw VerbError(.notFound, "User not found") }
        guard state.view.buckets(owner: request.owner).count < context.bucketsPerUserMax else {
            return ChangeBucketReply(outcome: .bucketLimit)
        }
        let bucket = BucketRecord(
            name: request.name, id: request.id.count == 16 ? request.id : context.random(16), owner: request.owner,
            acl: try acl(request.acl),
            createdMilliseconds: context.now, location: request.location,
            documents: try documents([], with: request.documents),
            project: ContainerChanges.project(of: request.owner, forBucket: request.name, state.view))
        edit.expectUnchanged(ClusterKeys.user(request.owner))
        edit.put(ClusterKeys.bucket(bucket.name), bucket)
        return ChangeBucketReply(outcome: .bucketChanged, bucket: bucket)
    }

    private static func change(
        _ request: ChangeBucketRequest, _ bucket: BucketRecord, _ edit: inout StateEdit
    ) throws(VerbError) -> ChangeBucketReply {
        var bucket = bucket
        let deleting = bucket.state == .bucketDeleting
        let key = ClusterKeys.bucket(bucket.name)
        switch request.change {
        case .bucketDeleteBegin:
            bucket.state = .bucketDeleting
            if !deleting { edit.put(key, bucket) }
        case .bucketDeleteFinish:
            // Only what was announced is deleted: somebody may have cancelled it.
            guard deleting else { return ChangeBucketReply(outcome: .bucketBusy, bucket: bucket) }
            edit.delete(key)
        case .bucketDeleteCancel:
            bucket.state = .bucketActive
            if deleting { edit.put(key, bucket) }
        case .bucketSetAcl:
            guard !deleting else { return ChangeBucketReply(outcome: .bucketBusy, bucket: bucket) }
            let before = bucket
            bucket.acl = try acl(request.acl)
            bucket.documents = try documents(bucket.documents, with: request.documents)
            if bucket != before { edit.put(key, bucket) }
        case .bucketSetDocuments:
            guard !deleting else { return ChangeBucketReply(outcome: .bucketBusy, bucket: bucket) }
            let before = bucket.documents
            bucket.documents = try documents(before, with: request.documents)
            if bucket.documents != before { edit.put(key, bucket) }
        case .containerSetHeaders:
            guard !deleting else { return ChangeBucketReply(outcome: .bucketBusy, bucket: bucket) }
            let headers = try IdentityChanges.merged(bucket.headers, request.headers)
            if headers != bucket.headers {
                bucket.headers = headers
                edit.put(key, bucket)
            }
        // Of a removal that is over.
        case .bucketRemovalFinish, .bucketRemovalCancel:
            return ChangeBucketReply(outcome: .bucketBusy, bucket: bucket)
        default: throw VerbError(.invalidArgument, "unknown change \(request.change)")
        }
        return ChangeBucketReply(outcome: .bucketChanged, bucket: bucket)
    }

    /// The configurations after a change: sorted by name, each name once.
    private static func documents(
        _ present: [BucketDocument], with changes: [BucketDocument]
    ) throws(VerbError) -> [BucketDocument] {
        guard !changes.isEmpty else { return present }
        var byName = Dictionary(present.map { ($0.name, $0) }) { first, _ in first }
        for change in changes {
            guard (1...64).contains(change.name.utf8.count) else {
                throw VerbError(.invalidArgument, "A bucket's configuration has a name of 1 to 64 bytes")
            }
            guard change.content.count <= Limits.bucketDocumentSizeMax else {
                throw VerbError(.tooLarge, "A bucket's configuration has up to \(Limits.bucketDocumentSizeMax) bytes")
            }
            byName[change.name] = change.content.isEmpty ? nil : change
        }
        guard byName.values.reduce(0, { $0 + $1.content.count }) <= Limits.bucketDocumentsSizeMax else {
            throw VerbError(
                .tooLarge, "A bucket's configurations have up to \(Limits.bucketDocumentsSizeMax) bytes together")
        }
        return byName.values.sorted { $0.name < $1.name }
    }

    /// The canned lists that a bucket can have.
    private static let acls = ["private", "public-read", "public-read-write", "authenticated-read"]

    private static func acl(_ name: String) throws(VerbError) -> String {
        guard !name.isEmpty else { return "private" }
        guard acls.contains(name) else {
            throw VerbError(.invalidArgument, "The permission is one of \(acls.joined(separator: ", "))")
        }
        return name
    }

    /// S3's rules for names; the gateway checks them too, the CLI does not.
    static func isValidName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard (3...63).contains(bytes.count), isAlphanumeric(bytes[0]), isAlphanumeric(bytes[bytes.count - 1]),
            bytes.allSatisfy({ isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") })
        else { return false }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        let isAddress = labels.count == 4 && labels.allSatisfy { UInt8($0) != nil }
        return !labels.contains("") && !isAddress
    }
}
