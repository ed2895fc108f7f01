/// `get-usage`: live objects and the bytes of their content, each counted once however many replicas it has.
public struct UsageReport: Codable, Sendable, Equatable {
    public struct Bucket: Codable, Sendable, Equatable {
        public var bucket: String
        public var owner: String
        public var objects: UInt64
        public var bytes: UInt64
        /// 0: no limit.
        public var quotaObjects: UInt64
        /// 0: no limit.
        public var quotaBytes: UInt64

        public init(
            bucket: String, owner: String, objects: UInt64, bytes: UInt64, quotaObjects: UInt64, quotaBytes: UInt64
        ) {
            self.bucket = bucket
            self.owner = owner
            self.objects = objects
            self.bytes = bytes
            self.quotaObjects = quotaObjects
            self.quotaBytes = quotaBytes
        }
    }

    public struct User: Codable, Sendable, Equatable {
        public var userId: String
        public var objects: UInt64
        public var bytes: UInt64
        /// 0: no limit.
        public var quotaObjects: UInt64
        /// 0: no limit.
        public var quotaBytes: UInt64

        public init(userId: String, objects: UInt64, bytes: UInt64, quotaObjects: UInt64, quotaBytes: UInt64) {
            self.userId = userId
            self.objects = objects
            self.bytes = bytes
            self.quotaObjects = quotaObjects
            self.quotaBytes = quotaBytes
        }
    }

    public var buckets: [Bucket]
    public var users: [User]

    public init(buckets: [Bucket], users: [User]) {
        self.buckets = buckets
        self.users = users
    }
}
