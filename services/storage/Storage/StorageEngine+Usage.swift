import MetadataIndex
import Model

extension StorageEngine {
    /// What buckets hold on this node, over all disks that run; no buckets: all of them.
    func usage(of buckets: [BucketID]) throws -> [BucketID: BucketTotals] {
        var usage: [BucketID: BucketTotals] = [:]
        func add(_ bucket: BucketID, _ totals: BucketTotals) {
            usage[bucket, default: BucketTotals()].objects &+= totals.objects
            usage[bucket, default: BucketTotals()].bytes &+= totals.bytes
        }
        for disk in disks {
            if buckets.isEmpty {
                // Buckets that are gone are remembered with nothing.
                for (bucket, totals) in try disk.index.allBucketTotals() where totals != BucketTotals() {
                    add(bucket, totals)
                }
            } else {
                for bucket in buckets { add(bucket, try disk.index.bucketTotals(bucket)) }
            }
        }
        return usage
    }
}
