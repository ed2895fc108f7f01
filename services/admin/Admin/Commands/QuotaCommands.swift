import ArgumentParser
import ClusterState

/// How much may be held.
struct QuotaLimits: ParsableArguments {
    @Argument(help: "Bytes of content; 0: no limit.") var bytes: UInt64
    @Argument(help: "Objects; 0: no limit.") var objects: UInt64

    var verbArguments: [String] { [String(bytes), String(objects)] }
}

struct SetBucketQuota: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "set-bucket-quota", abstract: "Limits what a bucket may hold.",
        discussion: "EXAMPLE: martlet-adm set-bucket-quota photos 10000000000 0")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The bucket's name.") var bucket: String
    @OptionGroup var limits: QuotaLimits

    var verbArguments: [String] { [bucket] + limits.verbArguments }
}

struct SetUserQuota: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "set-user-quota", abstract: "Limits what all buckets of a user may hold together.",
        discussion: "EXAMPLE: martlet-adm set-user-quota alice 0 1000000")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The user's id.") var user: String
    @OptionGroup var limits: QuotaLimits

    var verbArguments: [String] { [user] + limits.verbArguments }
}

struct GetUsage: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "get-usage", abstract: "What buckets and users hold, and their quotas.",
        discussion: "EXAMPLE: martlet-adm get-usage")
    @OptionGroup var options: ConnectionOptions

    func text(_ json: [UInt8]) throws -> String {
        let usage = try report(UsageReport.self, json)
        func limit(_ number: UInt64) -> String { number == 0 ? "-" : "\(number)" }
        let buckets = TextTable(
            columns: [
                .init("bucket"), .init("owner"), .init("objects"), .init("bytes"), .init("objects_max"),
                .init("bytes_max"),
            ],
            rows: usage.buckets.map {
                [$0.bucket, $0.owner, "\($0.objects)", "\($0.bytes)", limit($0.quotaObjects), limit($0.quotaBytes)]
            }, framed: false)
        let users = TextTable(
            columns: [
                .init("user_id"), .init("objects"), .init("bytes"), .init("objects_max"), .init("bytes_max"),
            ],
            rows: usage.users.map {
                [$0.userId, "\($0.objects)", "\($0.bytes)", limit($0.quotaObjects), limit($0.quotaBytes)]
            }, framed: false)
        return buckets.text + "\n\n" + users.text
    }
}
