import ArgumentParser
import ClusterState

struct AddBucket: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "add-bucket", abstract: "Makes a bucket for the user of an access key.",
        discussion: "EXAMPLE: martlet-adm add-bucket photos 05236a2b41f0c3d9e8b7")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The bucket's name.") var bucket: String
    @Argument(help: "Access key id of the owner.") var accessKeyID: String

    var verbArguments: [String] { [bucket, accessKeyID] }
}

struct DeleteBucket: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete-bucket", abstract: "Deletes a bucket: an empty one, or with --force whatever is in it.",
        discussion: """
            Without --force a bucket with objects is refused. With it the repair process removes everything in the
            background, as the task bucket-removal shows; the name is free when it is done. Versions that object lock
            protects stay, and the bucket with them.

            EXAMPLES:
              martlet-adm delete-bucket photos 05236a2b41f0c3d9e8b7
              martlet-adm delete-bucket photos 05236a2b41f0c3d9e8b7 --force
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The bucket's name.") var bucket: String
    @Argument(help: "Access key id of the owner.") var accessKeyID: String
    @Flag(help: "Remove all objects, versions and uploads in it.") var force = false

    var verbArguments: [String] { [bucket, accessKeyID] + (force ? ["force"] : []) }
}

struct GetBuckets: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "get-buckets", abstract: "All buckets.", discussion: "EXAMPLE: martlet-adm get-buckets")
    @OptionGroup var options: ConnectionOptions

    func text(_ json: [UInt8]) throws -> String { BucketText.all(try report(BucketsReport.self, json)) }
}

struct GetBucket: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "get-bucket", abstract: "The buckets of the user of an access key.",
        discussion: "EXAMPLE: martlet-adm get-bucket 05236a2b41f0c3d9e8b7")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "Access key id of the owner.") var accessKeyID: String

    var verbArguments: [String] { [accessKeyID] }
    func text(_ json: [UInt8]) throws -> String { BucketText.own(try report(BucketsReport.self, json)) }
}

struct ChangeBucketOwner: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "chown-bucket", abstract: "Gives a bucket to the user of an access key.",
        discussion: "EXAMPLE: martlet-adm chown-bucket photos 05236a2b41f0c3d9e8b7")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The bucket's name.") var bucket: String
    @Argument(help: "Access key id of the new owner.") var accessKeyID: String

    var verbArguments: [String] { [bucket, accessKeyID] }
}

struct UpdateACL: VerbCommand {
    static let permissions = ["private", "public-read", "public-read-write"]
    static let configuration = CommandConfiguration(
        commandName: "update-acl", abstract: "Who may use a bucket without being its owner.",
        discussion: "EXAMPLE: martlet-adm update-acl photos 05236a2b41f0c3d9e8b7 public-read")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The bucket's name.") var bucket: String
    @Argument(help: "Access key id of the owner.") var accessKeyID: String
    @Argument(help: "private, public-read or public-read-write.", completion: .list(permissions)) var permission: String

    func validate() throws {
        guard Self.permissions.contains(permission) else {
            throw ValidationError("the permission is one of \(Self.permissions.joined(separator: ", "))")
        }
    }

    var verbArguments: [String] { [bucket, accessKeyID, permission] }
}

struct AddEndpoint: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "add-endpoint", abstract: "A host name of the S3 service: BUCKET.HOST addresses a bucket.",
        discussion: "EXAMPLE: martlet-adm add-endpoint s3.example.org")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The host name.") var host: String

    var verbArguments: [String] { [host] }
}

struct DeleteEndpoint: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete-endpoint", abstract: "Removes a host name of the S3 service.",
        discussion: "EXAMPLE: martlet-adm delete-endpoint s3.example.org")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The host name.") var host: String

    var verbArguments: [String] { [host] }
}

struct GetEndpoints: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "get-endpoints", abstract: "Host names of the S3 service that were added here.",
        discussion: "EXAMPLE: martlet-adm get-endpoints")
    @OptionGroup var options: ConnectionOptions

    func text(_ json: [UInt8]) throws -> String { BucketText.endpoints(try report(EndpointsReport.self, json)) }
}
