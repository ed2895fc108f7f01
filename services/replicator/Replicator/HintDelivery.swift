import Model
import ObjectAccess
import Register
import Wire

/// Delivers hints. Nothing is kept here: a hint is forgotten by its keeper only after its delivery, and a delivery that
/// is repeated changes nothing.
struct HintDelivery: Sendable {
    enum Outcome: Sendable, Equatable {
        case delivered
        /// Nobody has it any more, or the hint says nothing sensible.
        case obsolete
        /// The target does not answer: no use to go on with its other hints now.
        case unreachable
        /// This one failed, others need not.
        case failed
    }

    let healing: ReplicaHealing

    func deliver(_ hint: Hint, keptBy source: NodeName) async -> Outcome {
        do throws(AccessError) {
            if let name = Model.RegisterName(hint.name) {
                try await healing.deliver(
                    name, tag: Ballot(hint.tag), from: source, to: NodeName(hint.missed))
            } else if let blob = BlobID(hint.blob) {
                _ = try await healing.copy(ChunkName(blob: blob, index: hint.index), to: NodeName(hint.missed))
            } else {
                return .obsolete
            }
            return .delivered
        } catch .absent {
            return .obsolete
        } catch .noQuorum {
            return .unreachable
        } catch {
            return .failed
        }
    }
}
