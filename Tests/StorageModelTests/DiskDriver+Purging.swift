import MetadataIndex
import Model
import Register

@testable import Storage

/// Tombstones that all replicas have, and old states that come late.
extension DiskDriver {
    mutating func purge() {
        // One that is being purged answers that it is none, before that is durable.
        let tombstones = DiskModel.names.filter { name in
            guard model.owns(name), let register = model.registers[name], let state = register.durable,
                state.record?.isTombstone == true, state.tag != register.purging
            else { return false }
            return generator.chance(0.7)
        }.map { PurgedRegister(name: $0, tag: model.registers[$0]!.durable!.tag) }
        guard !tombstones.isEmpty else { return }
        for item in tombstones {
            model.registers[item.name]!.purging = item.tag
            // Without its tombstone a key in doubt is untaught again.
            if model.taught[item.name] != nil { model.taught[item.name] = .unknown }
        }
        if mistake == .unloggedPurge { return purgeInIndex(tombstones) }
        // Each for itself, so that the answers tell which.
        for item in tombstones {
            let answer = Answer<Int>()
            disk.purge([item], answer.completion)
            later { driver in
                guard case .success(let count) = answer.wait() else { return }
                if count == 1 { driver.purged(item) } else { driver.model.registers[item.name]!.purging = nil }
            }
        }
    }

    private mutating func purged(_ item: PurgedRegister) {
        model.floor = max(model.floor, item.tag)
        model.tally.purges += 1
        model.registers[item.name]!.purging = nil
        guard model.registers[item.name]!.durable?.tag == item.tag else { return }
        model.registers[item.name]!.durable = nil
        if model.taught[item.name] != nil { model.taught[item.name] = .absent }
    }

    private mutating func purgeInIndex(_ tombstones: [PurgedRegister]) {
        let inForce = tombstones.filter { (try? disk.index.register($0.name))??.value.tag == $0.tag }
        _ = try? disk.index.apply([.purge(inForce, watermark: 1)], checkpoint: disk.index.checkpoint)
        for item in inForce { purged(item) }
    }

    /// A state from before a purge.
    mutating func staleLearn() {
        let absent = DiskModel.names.filter { name in
            // A key in doubt cannot have been purged since: what is above the doubt's bound is no older than a purge.
            model.owns(name) && model.doubt(name) == .absent
                && model.registers[name].map { $0.durable == nil && $0.open.isEmpty } ?? false
        }
        guard !absent.isEmpty, model.floor.counter > 1 else { return }
        let name = generator.pick(absent)
        let state = DiskModel.state(Ballot(counter: model.floor.counter - 1, writer: 5), .plain)
        let answer = Answer<LearnResult>()
        disk.learn(name, state, blob: nil, answer.completion)
        later { driver in
            if case .success(.learned) = answer.wait() {
                driver.faults.append("\(state.tag) came back behind the floor \(driver.model.floor)")
            }
        }
    }
}
