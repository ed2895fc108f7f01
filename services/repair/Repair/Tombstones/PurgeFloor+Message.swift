import Model
import ObjectAccess
import Register
import Wire

extension PurgeFloor {
    /// nil: of a node that has purged nothing.
    init(_ message: Floor?) { self.init(ballot: Ballot(message?.ballot), sequence: message?.sequence ?? 0) }
}

extension Floor {
    init(_ floor: PurgeFloor) { self.init(ballot: BallotNumber(floor.ballot), sequence: floor.sequence) }
}
