/// `whereis`: what every replica has for one key.
public struct WhereisReport: Codable, Sendable, Equatable {
    public struct Replica: Codable, Sendable, Equatable {
        public var node: String
        /// The replica answered and has something for the key.
        public var present: Bool
        /// A tombstone.
        public var del: Bool?
        /// Position on the ring, 16 hex digits.
        public var ringAddress: String?
        public var size: UInt64?
        /// First 10 digits of the ETag.
        public var checksum: String?
        /// The content is cut into chunks with ring positions of their own.
        public var hasChildren: Bool?
        public var totalChunks: Int?
        /// The tag: counter and writer, hex.
        public var clock: String?
        public var when: String?

        public init(node: String, present: Bool) {
            self.node = node
            self.present = present
        }
    }

    public struct Failure: Codable, Sendable, Equatable {
        public var node: String
        public var cause: String

        public init(node: String, cause: String) {
            self.node = node
            self.cause = cause
        }
    }

    public var path: String
    public var partition: Int
    public var assignedInfo: [Replica]
    public var failureNodes: [Failure]

    public init(path: String, partition: Int, assignedInfo: [Replica], failureNodes: [Failure]) {
        self.path = path
        self.partition = partition
        self.assignedInfo = assignedInfo
        self.failureNodes = failureNodes
    }
}
