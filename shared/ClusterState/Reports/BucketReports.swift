/// `get-buckets`, `get-bucket`.
public struct BucketsReport: Codable, Sendable, Equatable {
    public struct Bucket: Codable, Sendable, Equatable {
        public var clusterId: String
        public var bucket: String
        public var owner: String
        /// As LeoFS writes it: "Me(full_control), Everyone(read)".
        public var permissions: String
        /// The canned ACL.
        public var acl: String
        /// As LeoFS writes it: "copy, {n:3, w:2, r:2, d:2}".
        public var redundancyMethod: String
        public var createdAt: String
        /// active or deleting.
        public var state: String

        public init(
            clusterId: String, bucket: String, owner: String, permissions: String, acl: String,
            redundancyMethod: String, createdAt: String, state: String
        ) {
            self.clusterId = clusterId
            self.bucket = bucket
            self.owner = owner
            self.permissions = permissions
            self.acl = acl
            self.redundancyMethod = redundancyMethod
            self.createdAt = createdAt
            self.state = state
        }
    }

    public var buckets: [Bucket]
    public init(buckets: [Bucket]) { self.buckets = buckets }
}

/// `get-endpoints`.
public struct EndpointsReport: Codable, Sendable, Equatable {
    public struct Endpoint: Codable, Sendable, Equatable {
        public var endpoint: String
        public var createdAt: String

        public init(endpoint: String, createdAt: String) {
            self.endpoint = endpoint
            self.createdAt = createdAt
        }
    }

    public var endpoints: [Endpoint]
    public init(endpoints: [Endpoint]) { self.endpoints = endpoints }
}
