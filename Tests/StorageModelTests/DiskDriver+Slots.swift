import MetadataIndex
import Model
import ObjectLog
import Register
import Wire

@testable import Storage

/// Slots that go to another disk of the node and come back: what the node does with this one, in the order in which
/// `SlotMove` and `SlotMover` do it. The other disk, and disks.json, are the model.
extension DiskDriver {
    mutating func moveSlots() {
        let elsewhere = DiskModel.slots.filter { !model.owned.contains($0) }
        if !model.remnants.isEmpty || disk.index.hasLeft {
            clean()
        } else if elsewhere.isEmpty || generator.chance(0.4) {
            giveUp(SlotSet(some(of: DiskModel.slots.filter(model.owned.contains))))
        } else {
            takeBack(SlotSet(some(of: elsewhere)))
        }
    }

    private mutating func some(of slots: [Int]) -> [Int] {
        let share = generator.pick([0.05, 0.3, 0.8])
        return slots.filter { _ in generator.chance(share) }
    }

    /// Another disk is the owner once all that this one has decided is durable, and so was copied.
    private mutating func giveUp(_ slots: SlotSet) {
        guard !slots.isEmpty else { return }
        let promised = disk.release(slots)
        guard (try? disk.settleAll()) != nil, disk.failure == nil else { return }
        model.counter = max(model.counter, promised)
        for name in DiskModel.names where slots.contains(DiskModel.slot(name)) {
            let state = (try? disk.index.register(name)).flatMap { $0 }.map { ReplicaState($0.value) }
            let allowed = model.registers[name, default: .init()].allowed
            if !allowed.contains(state) { faults.append("a slot goes with \(state?.tag as Any) of a register") }
            model.registers[name]?.durable = state
            model.registers[name]?.open = []
        }
        for chunk in DiskModel.chunkNames where slots.contains(DiskModel.slot(chunk)) {
            model.chunks[chunk] = (try? disk.index.blob(BlobKey(chunk))) != .some(nil) ? .present : .absent
        }
        model.owned = model.owned.subtracting(slots)
        model.remnants = model.remnants.union(slots)
        changeElsewhere(slots)
        model.tally.moves += 1
    }

    /// The other disk serves them, and what could not be read was healed there.
    private mutating func changeElsewhere(_ slots: SlotSet) {
        for name in DiskModel.names where slots.contains(DiskModel.slot(name)) && generator.chance(0.3) {
            if let held = model.registers[name]?.durable, held.record?.isTombstone == true, generator.chance(0.5) {
                model.floorElsewhere = max(model.floorElsewhere, held.tag)
                model.registers[name]?.durable = nil
            } else {
                model.registers[name, default: .init()].durable = nextState(of: name)
            }
        }
        for chunk in DiskModel.chunkNames where slots.contains(DiskModel.slot(chunk)) && generator.chance(0.3) {
            guard !model.dropped.contains(chunk), !model.recentDrops.contains(chunk) else { continue }
            model.chunks[chunk] = generator.chance(0.5) ? .present : .absent
        }
    }

    /// What is left of slots that are not its own counts for nothing, and goes.
    mutating func clean() {
        if mistake == .keptRemnants {
            model.remnants = SlotSet()
            return
        }
        do {
            if !model.remnants.isEmpty { try disk.leave(model.remnants) }
            try disk.forgetLeft { true }
            model.remnants = SlotSet()
        } catch {}
    }

    private mutating func takeBack(_ slots: SlotSet) {
        guard !slots.isEmpty else { return }
        model.remnants = model.remnants.union(slots)
        model.setDoubt(.unknown, slots)
        do {
            for entries in copies(slots) { try disk.appendDurably(entries) }
            try disk.trust(slots)
            model.setDoubt(.absent, slots)
            if generator.chance(0.2) {
                // The other disk was in doubt.
                model.beginDoubt(slots)
                try disk.distrust(slots)
                model.setDoubt(.present, slots)
            }
            try disk.fence(upTo: model.counter)
            let floor = max(model.floor, model.floorElsewhere)
            try disk.raiseFloor(to: PurgeFloor(ballot: floor, sequence: floor.counter))
            model.floor = floor
        } catch { return }
        model.owned = model.owned.union(slots)
        model.remnants = model.remnants.subtracting(slots)
        disk.own(model.owned)
    }

    /// As the other disk has them: content first. Some batches, as if there were many.
    private mutating func copies(_ slots: SlotSet) -> [[LogEntry]] {
        var batches: [[LogEntry]] = [[]]
        for name in DiskModel.names where slots.contains(DiskModel.slot(name)) {
            guard let state = model.registers[name]?.durable else { continue }
            if let blob = payload(of: state) {
                let owner = BlobOwner(name: name, tag: state.tag)
                let content = blob.content
                batches[batches.count - 1].append(
                    .blob(blob.id, of: owner, content.bytes, checksum: content.checksum))
                model.damaged.remove(BlobKey(blob.id))
            }
            batches[batches.count - 1].append(.register(name, state.value(of: name)))
            if generator.chance(0.2) { batches.append([]) }
        }
        for chunk in DiskModel.chunkNames where slots.contains(DiskModel.slot(chunk)) && model.chunks[chunk] == .present
        {
            if (try? disk.index.isDropped(BlobKey(chunk))) == true {
                // Dropped here before the slot went: for good.
                model.chunks[chunk] = .absent
                continue
            }
            let content = DiskModel.content(chunk.blob, chunk.index)
            batches[batches.count - 1].append(
                .chunk(chunk, owner: nil, writtenMilliseconds: 1, content.bytes, checksum: content.checksum))
            model.damaged.remove(BlobKey(chunk))
        }
        return batches.filter { !$0.isEmpty }
    }
}
