import MetadataIndex
import ObjectLog
import Observability

extension StorageEngine {
    func state(of disk: DiskSlot) -> DiskSlot.State {
        disk.state(isDraining: set.table.disk(disk.number)?.standing == .draining)
    }

    /// Looks at what the disks and their indexes take. Blocks: the gauges show what it saw last.
    func measure() {
        var memory = opener.memory.cached
        for disk in slots {
            let replica = try? disk.replica.get()
            let (space, labels) = (replica.flatMap { try? $0.log.space() }, ["disk": disk.label])
            metrics.gauge(
                "storage_disk_free_bytes", help: "Of the file system of a disk; 0: not in service.", labels: labels
            ).set(space?.free ?? 0)
            metrics.gauge(
                "storage_disk_total_bytes", help: "Of the file system of a disk; 0: not in service.", labels: labels
            ).set(space?.total ?? 0)
            if let use = replica?.index.memoryUse { memory += use.writeBuffers + use.tables }
        }
        metrics.gauge("storage_index_memory_bytes", help: "That the indexes of all disks take now.").set(memory)
        metrics.gauge("storage_index_memory_limit_bytes", help: "That they may take: storage.index_memory.")
            .set(opener.memory.limit)
    }

    /// Metrics of a disk, from its first appearance on. Their label is bounded: `disk-1`, `disk-2`…
    func register(_ disk: DiskSlot, _ metrics: MetricsRegistry) {
        let number = disk.number
        let current: @Sendable () -> (DiskSlot, DiskTable)? = { [weak set] in
            guard let set, let disk = set.routing.disk(number) else { return nil }
            return (disk, set.table)
        }
        for state in DiskSlot.State.allCases {
            metrics.gauge(
                "storage_disk_state", help: "1 for the state in which the disk is.",
                labels: ["disk": disk.label, "state": state.rawValue]
            ) {
                guard let (disk, table) = current() else { return 0 }
                return disk.state(isDraining: table.disk(number)?.standing == .draining) == state ? 1 : 0
            }
        }
        let labels = ["disk": disk.label]
        metrics.gauge("storage_disk_slots", help: "Slots, of 256, that the disk answers for.", labels: labels) {
            Double(current()?.1.slots(of: number).count ?? 0)
        }
        metrics.gauge(
            "storage_disk_doubtful_slots", help: "Slots of the disk that it cannot vote for, because it lost records.",
            labels: labels
        ) {
            guard let (disk, table) = current(), case .success(let replica) = disk.replica else { return 0 }
            return Double(replica.index.doubted.intersection(SlotSet(table.slots(of: number))).slots.count)
        }
    }
}
