import ClusterState
import Model
import ObjectAccess

extension TasksReport.Item {
    /// - Parameter rates: of a running task.
    init(_ task: RepairTask, of process: NodeName, rates: TaskHandle.Rates?, now: Int64) {
        let state = !task.isOver && task.isPaused ? "paused" : task.phase.rawValue
        self.init(
            id: "\(process):\(task.id)", kind: task.kind.rawValue, subject: task.arguments.joined(separator: " "),
            state: state)
        (done, total, unit) = (task.progress.done, task.progress.total, task.kind.unit)
        (objects, bytes, failures) = (task.progress.objects, task.progress.bytes, task.progress.failures)
        note = task.progress.note
        objectsPerSecondMax = task.throttle.objectsPerSecond
        bytesPerSecondMax = task.throttle.bytesPerSecond
        startedMilliseconds = task.started
        finishedMilliseconds = task.finished
        proved = task.outcome?.isProved ?? false
        result = task.outcome?.text ?? ""
        guard let rates else { return }
        objectsPerSecond = rates.objects
        bytesPerSecond = rates.bytes
        pacePercent = Int((rates.part * 100).rounded(.up))
        guard let left = rates.secondsLeft, !task.isPaused, left < 1e9 else { return }
        estimatedEndMilliseconds = now + Int64(left * 1000)
    }
}

extension TaskKind {
    /// What its progress counts.
    var unit: String {
        switch self {
        case .antiEntropy, .memory, .recoverDisk, .recoverNode, .recoverConsistency: "keys"
        case .damage: "records"
        case .releases: "releases"
        case .move: "partitions"
        case .garbage: "blobs"
        case .lifecycle: "versions"
        case .tombstones, .purgeTombstones: "tombstones"
        case .bucketRemoval, .events: "versions"
        case .recoverFile: "chunks"
        }
    }
}
