import ClusterState
import Wire

/// Limits on what a bucket, or all buckets of a user, may hold. Gateways hold writers to them.
enum QuotaVerbs {
    static func setBucket(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        var bucket = try BucketVerbs.existing(call)
        (bucket.quotaBytes, bucket.quotaObjects) = (try limit(call, 1), try limit(call, 2))
        edit.put(ClusterKeys.bucket(bucket.name), bucket)
        return DoneReport()
    }

    static func setUser(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        guard var user = call.state.view.user(id: call.argument(0)) else {
            throw VerbError(.notFound, "User not found")
        }
        (user.quotaBytes, user.quotaObjects) = (try limit(call, 1), try limit(call, 2))
        edit.put(ClusterKeys.user(user.id), user)
        return DoneReport()
    }

    /// 0: none.
    private static func limit(_ call: VerbCall, _ index: Int) throws(VerbError) -> UInt64 {
        guard let limit = UInt64(call.argument(index)) else {
            throw VerbError(.invalidArgument, "A quota is a whole number, 0 for none")
        }
        return limit
    }
}
