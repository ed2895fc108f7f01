import ClusterState
import MessageBus

/// The verbs compact-start, compact-suspend, compact-resume.
extension NodeCommands {
    /// Arguments: `all` or a number of disks (those with the most garbage); then, when it is wanted, bytes a second.
    func compactStart(_ arguments: [String]) throws -> [UInt8] {
        let usage = BusError(.invalidArgument, "compact-start NODE all|NUMBER-OF-DISKS [--rate BYTES]")
        guard arguments.count <= 2 else { throw usage }
        var count: Int?
        if let first = arguments.first, first != "all" {
            guard let number = Int(first), number > 0 else { throw usage }
            count = number
        }
        var rate: Int?
        if arguments.count == 2 {
            guard let number = Int(arguments[1]), number > 0 else { throw usage }
            rate = number
        }
        try engine.startCompaction(disks: count, rate: rate)
        return try ReportCoding.encode(DoneReport())
    }

    func compactSuspend() throws -> [UInt8] {
        engine.suspendCompaction()
        return try ReportCoding.encode(DoneReport())
    }

    func compactResume() throws -> [UInt8] {
        engine.resumeCompaction()
        return try ReportCoding.encode(DoneReport())
    }
}
