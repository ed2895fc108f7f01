import MetadataIndex
import Model
import Register

@testable import Storage

/// Lost memory, and what the repair process does about it.
extension DiskDriver {
    /// The disk may have forgotten something of these slots.
    mutating func distrust() {
        let owned = DiskModel.slots.filter(model.owned.contains)
        let share = generator.pick([0.1, 0.5, 1])
        let slots = SlotSet(owned.filter { _ in generator.chance(share) })
        guard !slots.isEmpty else { return }
        model.beginDoubt(slots)
        do {
            if mistake == .unloggedDoubt {
                _ = try disk.index.apply(
                    [.doubt(before: disk.log.end.rawValue, slots: slots)], checkpoint: disk.index.checkpoint)
                disk.state.withLock { $0.replica.distrust() }
            } else {
                try disk.distrust(slots)
            }
            model.setDoubt(.present, slots)
            model.tally.doubts += 1
        } catch {}
    }

    /// One of the steps of healing, not always the right one: fence, teach, trust.
    mutating func heal() {
        switch generator.number(0..<6) {
        case 0, 1: fence()
        case 2, 3: teach()
        default: trust()
        }
    }

    private mutating func fence() {
        // Above everything that any replica can have promised.
        let counter = model.counter + UInt64(generator.number(1..<100))
        model.counter = counter
        let told = disk.doubts
        guard (try? disk.fence(upTo: counter, bounding: told)) != nil else { return }
        model.fence = Ballot(counter: counter, writer: .max)
        if disk.doubts.contains(where: { $0.bound == 0 }) {
            faults.append("a fence over all doubts does not bound them")
        }
    }

    /// A round of its own for each register in doubt, and the state that it decides.
    private mutating func teach() {
        for name in DiskModel.names where model.doubt(name) == .present && model.owns(name) && generator.chance(0.7) {
            learn(name)
        }
        settle()
    }

    private mutating func trust() {
        // What repair brings of the other replicas before it lets a disk trust itself: the floor may have been lost too.
        let floor = PurgeFloor(ballot: model.floor, sequence: model.floor.counter)
        guard (try? disk.raiseFloor(to: floor)) != nil else { return }
        for doubt in disk.doubts where disk.failure == nil {
            let before = DiskModel.slots.filter { doubt.slots.contains($0) && model.doubts[$0] == .present }
            model.setDoubt(.unknown, doubt.slots)
            // To settle a later loss settles what an earlier one took of the same slots.
            let isCurrent = disk.doubts.contains { $0.isSame(as: doubt) }
            guard let isTrusted = try? disk.trust(doubt) else { continue }
            // A bound counts when its fence is durable.
            let isBounded = doubt.bound > 0 && doubt.bound <= model.fence.counter
            if isTrusted, !isBounded { faults.append("a disk trusts itself without a bound") }
            if !isTrusted, isCurrent, isBounded { faults.append("a disk with a bound does not trust itself") }
            if isTrusted {
                model.setDoubt(.absent, doubt.slots)
            } else {
                for slot in before { model.doubts[slot] = .present }
            }
        }
    }
}
