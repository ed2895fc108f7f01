import ClusterState
import Model
import ObjectAccess

/// `get-usage`: what buckets and users hold, and their quotas.
struct UsageVerb: Sendable {
    static let timeout = Duration.seconds(5)

    let parts: ManagerParts

    func report() async throws -> UsageReport {
        let survey = UsageSurvey(bus: parts.bus, cluster: parts.cluster)
        let usage = try await survey.take(timeout: Self.timeout)
        return Self.report(parts.cluster.view, usage)
    }

    /// Pure.
    static func report(_ view: ClusterView, _ usage: [BucketID: StoredUsage]) -> UsageReport {
        var byOwner: [String: StoredUsage] = [:]
        let buckets = view.buckets.values.sorted { $0.name < $1.name }.map { bucket in
            let held = bucket.bucketID.flatMap { usage[$0] } ?? StoredUsage()
            byOwner[bucket.owner, default: StoredUsage()].objects &+= held.objects
            byOwner[bucket.owner, default: StoredUsage()].bytes &+= held.bytes
            return UsageReport.Bucket(
                bucket: bucket.name, owner: bucket.owner, objects: held.objects, bytes: held.bytes,
                quotaObjects: bucket.quotaObjects, quotaBytes: bucket.quotaBytes)
        }
        let users = view.users.values.sorted { $0.id < $1.id }.map { user in
            let held = byOwner[user.id] ?? StoredUsage()
            return UsageReport.User(
                userId: user.id, objects: held.objects, bytes: held.bytes, quotaObjects: user.quotaObjects,
                quotaBytes: user.quotaBytes)
        }
        return UsageReport(buckets: buckets, users: users)
    }
}
