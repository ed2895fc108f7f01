import ClusterState
import Foundation
import MessageBus
import MetadataIndex

/// Verbs about the disks of one node. May block.
struct DiskCommands {
    let engine: StorageEngine

    /// JSON; nil: not such a verb.
    func run(_ verb: String, _ arguments: [String]) throws -> [UInt8]? {
        do {
            switch verb {
            case "disk-list": break
            case "disk-add": try engine.addDisk(try path(arguments), weight: try weight(arguments))
            case "disk-weight": try setWeight(arguments)
            case "disk-drain":
                let path = try path(arguments)
                if arguments.contains("--cancel") { try engine.cancelDrain(path) } else { try engine.drainDisk(path) }
            case "disk-replace": try engine.replaceDisk(try path(arguments))
            case "disk-remove":
                try require("--lost", arguments, "what only this disk holds is given up; `disk drain` gives up nothing")
                try engine.removeLostDisk(try path(arguments))
            case "disk-trust":
                try require("--accept-loss", arguments, "what the disk has forgotten is given up")
                try engine.trustDisk(try path(arguments))
            default: return nil
            }
        } catch let error as StorageError {
            throw BusError(error.status == .malformed ? .invalidArgument : error.status, error.description)
        }
        return try ReportCoding.encode(report)
    }

    private func path(_ arguments: [String]) throws -> String {
        guard let path = arguments.first, !path.hasPrefix("-") else { throw BusError(.invalidArgument, "which PATH?") }
        return path
    }

    private func weight(_ arguments: [String]) throws -> Int? {
        guard arguments.count > 1 else { return nil }
        guard let weight = Int(arguments[1]), SlotPlacement.weights.contains(weight) else {
            throw BusError(.invalidArgument, "a weight is 1 to 1000000000")
        }
        return weight
    }

    private func setWeight(_ arguments: [String]) throws {
        let path = try path(arguments)
        guard let weight = try weight(arguments) else { throw BusError(.invalidArgument, "which weight?") }
        try engine.setWeight(weight, ofDisk: path)
    }

    private func require(_ flag: String, _ arguments: [String], _ why: String) throws {
        guard arguments.contains(flag) else { throw BusError(.invalidArgument, "say \(flag): \(why)") }
    }

    // MARK: - Report

    private var report: DiskListReport {
        let (table, routing) = (engine.set.table, engine.set.routing)
        let wanted = table.placement
        let disks = table.disks.compactMap { entry in
            routing.disk(entry.number).map { describe(entry, $0, table, wanted: wanted) }
        }
        let status = engine.mover.status
        let isMoving = status.activity == .moving
        let left = table.slots.indices.count { table.slots[$0] != wanted[$0] }
        return DiskListReport(
            disks: disks,
            moves: .init(
                state: status.activity.rawValue, from: isMoving ? status.from : nil, to: isMoving ? status.to : nil,
                slotsLeft: left, slotsMoved: status.movedSlots, bytesMoved: status.movedBytes,
                unreadable: status.unreadable, reason: status.activity == .waiting ? status.failure : nil))
    }

    private func describe(
        _ entry: DiskTable.Disk, _ disk: DiskSlot, _ table: DiskTable, wanted: [Int]
    ) -> DiskListReport.Disk {
        let replica = try? disk.replica.get()
        let space = replica.flatMap { _ in try? FileManager.default.attributesOfFileSystem(forPath: entry.path) }
        let slots = table.slots(of: entry.number)
        return DiskListReport.Disk(
            name: disk.label, path: entry.path, id: entry.id,
            state: disk.state(isDraining: entry.standing == .draining).rawValue, reason: disk.reason,
            weight: entry.weight, free: (space?[.systemFreeSize] as? NSNumber)?.intValue,
            total: (space?[.systemSize] as? NSNumber)?.intValue, slots: slots.count,
            slotsWanted: wanted.count { $0 == entry.number },
            doubtfulSlots: replica?.index.doubted.intersection(SlotSet(slots)).slots.count ?? 0,
            damagedRecords: engine.damage.count(of: entry.path))
    }
}
