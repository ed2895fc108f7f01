/// What reading segments has found.
struct ScrubFindings: Sendable, Equatable {
    var bytes = 0
    var records = 0
    /// Records in force that could not be read: to be healed from other replicas.
    var damagedContent = 0
    /// Registers in force whose record could not be read: written again from the index at once.
    var rewrittenRegisters = 0
    /// Stretches that could not be read and that nothing in force needs.
    var damagedGarbage = 0
    /// Entries of the index that did not point to their record.
    var misplacedEntries = 0

    mutating func add(_ other: ScrubFindings) {
        bytes += other.bytes
        records += other.records
        damagedContent += other.damagedContent
        rewrittenRegisters += other.rewrittenRegisters
        damagedGarbage += other.damagedGarbage
        misplacedEntries += other.misplacedEntries
    }
}

/// What is scrubbed: one disk, or a fake.
protocol ScrubSubject: AnyObject, Sendable {
    /// Path of the disk.
    var path: String { get }
    /// Requests wait that are to be served first.
    var isBusy: Bool { get }
    /// Segments that are no longer written to, and their sizes in bytes.
    var sealedSegments: [(number: UInt32, bytes: Int)] { get }
    /// Reads a segment and takes care of what it finds. `proceed` is told after every few records how many bytes were
    /// read, may wait, and says false when the rest is not to be read. Returns nil when it was not read to its end: then
    /// it is read again later.
    func scrub(_ segment: UInt32, proceed: (Int) -> Bool) throws -> ScrubFindings?
    /// What entries of the index say of segments that are not there at all.
    func scrubLostSegments() throws -> ScrubFindings
}
