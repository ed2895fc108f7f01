import Model
import NIOHTTP1
import S3Protocol
import Wire

/// GetBucketTagging, PutBucketTagging, DeleteBucketTagging, and the rules of tags that objects share.
extension S3Operations {
    static let taggingTable: [S3Operation: Operation] = [
        .getBucketTagging: get(bucketTagging),
        .putBucketTagging: put(bucketTagging),
        .deleteBucketTagging: delete(bucketTagging),
    ]

    private static let bucketTagging = BucketConfiguration(
        name: "tagging", absence: .error(.noSuchTagSet), putStatus: 204
    ) { body, _, _ in
        _ = try TagSet(parsing: body, countMax: TagSet.bucketTagsMax)
        return body
    }
}
