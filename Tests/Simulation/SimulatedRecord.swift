import Model
import Register

/// What registers hold in the simulation: a value, and every operation that led to it, so that checks are simple.
struct SimulatedRecord: RegisterRecord {
    /// nil: a tombstone.
    var value: Int?
    var operations: [Int]
    var isTombstone: Bool { value == nil }
}

typealias SimulatedState = RegisterState<SimulatedRecord>

/// The mistakes that an implementer could make. They are made in the shells of the simulation: the state machines under
/// test are the real ones and have no switch for them.
enum PlantedMistake: String, CaseIterable, Sendable {
    /// A replica acknowledges a commit before it is synced.
    case acknowledgeBeforeSync
    /// A replica shows a state in promises and reads before it is synced.
    case answerBeforeSync
    /// A replica starts without the ceiling that it has stored.
    case forgetPromise
    /// A replica accepts a state although it has promised a higher ballot.
    case acceptBelowPromise
    /// A reader answers the highest of differing states without finishing the write.
    case answerSplitRead
    /// A writer answers a failed condition from whatever state it has found.
    case refuseFromUndecided
    /// A writer starts anew after an attempt that may have half succeeded.
    case repeatAttempt
    /// A replica whose disk was replaced votes as if it had never held anything.
    case countWipedReplica
    /// Writers order their writes by their clocks.
    case orderByClock
    /// A replica forgets which of its records it could not read, and votes without them.
    case unreadableAsAbsent
    /// A replica that has lost its memory votes with what is left.
    case voteInDoubt
    /// Repair trusts a replica that has lost its memory without a fence at the others.
    case trustWithoutFence
    /// Repair trusts it before it has taught it every key.
    case trustUntaught
    /// Repair teaches it what another replica has, without deciding that again above all that is forgotten.
    case teachUndecided
    /// Repair trusts it although too few of the others remember.
    case trustForgetful
    /// Repair takes the replica's own last ceiling for the highest ballot that it can have forgotten.
    case boundByOwnCeiling

    /// Repair trusts it without what the others have purged.
    case trustWithoutFloor
    /// Tombstones are purged when a quorum holds them.
    case purgeWithoutProof
    /// A replica forgets what it purges.
    case purgeWithoutFloor
    /// A replica accepts what is proposed to it whatever it holds.
    case acceptProposalOverState
    /// A writer forgets that what it has proposed may be accepted.
    case forgetProposal
    /// A chain that begins after a purge begins at the start.
    case restartChain

    /// Those that only show where replicas lose their memory and are healed.
    static let ofHealing: [PlantedMistake] = [
        .voteInDoubt, .trustWithoutFence, .trustUntaught, .teachUndecided, .trustForgetful, .boundByOwnCeiling,
        .trustWithoutFloor,
    ]
    static let ofRegisters = allCases.filter { !ofHealing.contains($0) }
}
