/// `disk list NODE`.
public struct DiskListReport: Codable, Sendable, Equatable {
    public struct Disk: Codable, Sendable, Equatable {
        /// As metrics call it: `disk-1`.
        public var name: String
        public var path: String
        /// Of its log, in hex digits; nil: it was never in service.
        public var id: String?
        /// "opening", "running", "full", "read-only", "failed", "rebuilding", "draining" or "retired".
        public var state: String
        public var reason: String?
        public var weight: Int
        /// Bytes of its file system; nil: it is not in service.
        public var free: Int?
        public var total: Int?
        public var slots: Int
        /// How many slots it should have: others are on their way.
        public var slotsWanted: Int
        /// Slots for which it does not vote, because it has lost records.
        public var doubtfulSlots: Int
        /// Records that it cannot read and that are not yet repaired.
        public var damagedRecords: Int

        public init(
            name: String, path: String, id: String?, state: String, reason: String?, weight: Int, free: Int?,
            total: Int?, slots: Int, slotsWanted: Int, doubtfulSlots: Int, damagedRecords: Int
        ) {
            self.name = name
            self.path = path
            self.id = id
            self.state = state
            self.reason = reason
            self.weight = weight
            self.free = free
            self.total = total
            self.slots = slots
            self.slotsWanted = slotsWanted
            self.doubtfulSlots = doubtfulSlots
            self.damagedRecords = damagedRecords
        }
    }

    /// The moving of slots between the disks.
    public struct Moves: Codable, Sendable, Equatable {
        /// "idling", "moving", "cleaning" or "waiting".
        public var state: String
        public var from: String?
        public var to: String?
        public var slotsLeft: Int
        /// Since the start of the node.
        public var slotsMoved: Int
        public var bytesMoved: UInt64
        /// Records of content that could not be read and were left to the repair process.
        public var unreadable: Int
        /// Why it waits.
        public var reason: String?

        public init(
            state: String, from: String?, to: String?, slotsLeft: Int, slotsMoved: Int, bytesMoved: UInt64,
            unreadable: Int, reason: String?
        ) {
            self.state = state
            self.from = from
            self.to = to
            self.slotsLeft = slotsLeft
            self.slotsMoved = slotsMoved
            self.bytesMoved = bytesMoved
            self.unreadable = unreadable
            self.reason = reason
        }
    }

    public var disks: [Disk]
    public var moves: Moves

    public init(disks: [Disk], moves: Moves) {
        self.disks = disks
        self.moves = moves
    }
}
