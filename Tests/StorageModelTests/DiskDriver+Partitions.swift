import MetadataIndex
import Model

@testable import Storage

/// The ring takes partitions away from the node.
extension DiskDriver {
    mutating func depart() {
        let partitions = (0..<UInt32(DiskModel.cut.count)).filter { _ in generator.chance(0.25) }
        guard !partitions.isEmpty, model.remnants.isEmpty else { return }
        // What is under way may come to stand behind the record.
        settle()
        model.departing = Set(partitions)
        for chunk in DiskModel.chunkNames where partitions.contains(DiskModel.partition(chunk)) && model.owns(chunk) {
            if model.chunks[chunk] == .present { model.chunks[chunk] = .unknown }
        }
        do {
            try disk.leave(partitions, of: DiskModel.cut)
            departed()
            // Now and then a crash comes before it is all taken out of the index.
            try disk.forgetLeft { true }
        } catch {}
    }

    /// The record is durable.
    private mutating func departed() {
        for name in DiskModel.names where model.departing.contains(DiskModel.partition(name)) && model.owns(name) {
            model.registers[name]?.durable = nil
            model.registers[name]?.open = []
            model.registers[name]?.purging = nil
            if model.taught[name] != nil { model.taught[name] = .absent }
        }
        for chunk in DiskModel.chunkNames where model.departing.contains(DiskModel.partition(chunk)) {
            if model.owns(chunk), model.chunks[chunk] != nil { model.chunks[chunk] = .absent }
        }
        model.departing = []
        model.tally.departures += 1
    }
}
