import ClusterState
import Model
import Wire

/// Buckets as the administrator sees them.
enum BucketVerbs {
    static func add(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let owner = try owner(call)
        let request = ChangeBucketRequest(change: .bucketCreate, name: call.argument(0), owner: owner.id)
        switch try BucketChanges.apply(request, call.state, &edit, call.context).outcome {
        case .bucketChanged: return DoneReport()
        case .bucketLimit: throw VerbError(.conflict, "The user has as many buckets as allowed")
        case .bucketBusy: throw VerbError(.conflict, "The bucket is being deleted")
        default: throw VerbError(.conflict, "Already exists")
        }
    }

    static func list(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        report(call.state.view.buckets.values.sorted { $0.name < $1.name }, call.state.view)
    }

    static func listOwn(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        guard let user = call.state.view.user(accessKey: call.argument(0)) else {
            throw VerbError(.notFound, "Access key not found")
        }
        return report(call.state.view.buckets(owner: user.id), call.state.view)
    }

    static func changeOwner(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let owner = try owner(call)
        var bucket = try existing(call)
        bucket.owner = owner.id
        // It leaves the account of its former owner.
        let project = ContainerChanges.project(of: owner.id, forBucket: bucket.name, call.state.view)
        if owner.defaultProject != bucket.project, bucket.isNamedForS3 { bucket.project = project }
        edit.put(ClusterKeys.bucket(bucket.name), bucket)
        return DoneReport()
    }

    static func updateACL(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let owner = try owner(call)
        let bucket = try existing(call)
        guard bucket.owner == owner.id else { throw VerbError(.forbidden, "The bucket belongs to \(bucket.owner)") }
        let request = ChangeBucketRequest(
            change: .bucketSetAcl, name: bucket.name, owner: owner.id, acl: call.argument(2))
        guard try BucketChanges.apply(request, call.state, &edit, call.context).outcome == .bucketChanged else {
            throw VerbError(.conflict, "The bucket is being deleted")
        }
        return DoneReport()
    }

    static func owner(_ call: VerbCall) throws(VerbError) -> UserRecord {
        guard let user = call.state.view.user(accessKey: call.argument(1)) else {
            throw VerbError(.notFound, "Access key not found")
        }
        return user
    }

    static func existing(_ call: VerbCall) throws(VerbError) -> BucketRecord {
        guard let bucket = call.state.view.buckets[call.argument(0)] else {
            throw VerbError(.notFound, "Bucket not found")
        }
        return bucket
    }

    private static func report(_ buckets: [BucketRecord], _ view: ClusterView) -> BucketsReport {
        let level = view.consistency
        return BucketsReport(
            buckets: buckets.map {
                BucketsReport.Bucket(
                    clusterId: view.settings?.clusterId ?? "", bucket: $0.name, owner: $0.owner,
                    permissions: permissions($0.acl), acl: $0.acl.isEmpty ? "private" : $0.acl,
                    redundancyMethod:
                        "copy, {n:\(level.replicas), w:\(level.write), r:\(level.read), d:\(level.delete)}",
                    createdAt: timeText(milliseconds: $0.createdMilliseconds),
                    state: state($0.state))
            })
    }

    private static func state(_ state: BucketState) -> String {
        switch state {
        case .bucketDeleting: "deleting"
        case .bucketRemoving: "removing"
        default: "active"
        }
    }

    private static func permissions(_ acl: String) -> String {
        switch acl {
        case "public-read": "Me(full_control), Everyone(read)"
        case "public-read-write": "Me(full_control), Everyone(read,write)"
        default: "Me(full_control)"
        }
    }
}
