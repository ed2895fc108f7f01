import ClusterState

/// `tasks` for people.
enum TaskText {
    static func list(_ report: TasksReport) -> String {
        let table = TextTable(
            columns: [
                .init("id"), .init("task"), .init("state"), .init("progress", .right), .init("repaired", .right),
                .init("rate", .right), .init("end", .right), .init("proved"), .init("result"),
            ],
            rows: report.tasks.map(row)
        ).text
        guard !report.failureNodes.isEmpty else { return table }
        let silent = report.failureNodes.map { " \($0.node): \($0.cause)" }
        return ([table, "", "[Failure Nodes]"] + silent).joined(separator: "\n")
    }

    private static func row(_ task: TasksReport.Item) -> [String] {
        let isMoving = task.state == "running"
        let title = task.subject.isEmpty ? task.kind : "\(task.kind) \(task.subject)"
        let end = isMoving ? task.estimatedEndMilliseconds : task.finishedMilliseconds
        return [
            task.id, title, task.state, progress(task), objects(task), isMoving ? rate(task) : "",
            TimeText.make(milliseconds: end), task.proved ? "yes" : "", isMoving ? task.note : task.result,
        ]
    }

    private static func progress(_ task: TasksReport.Item) -> String {
        guard task.total > 0 else { return "" }
        // Without the risk of an overflow.
        let percent = Int((Double(task.done) / Double(task.total) * 100).rounded(.down))
        return "\(task.done)/\(task.total) \(task.unit) \(min(percent, 100))%"
    }

    private static func objects(_ task: TasksReport.Item) -> String {
        guard task.objects > 0 || task.bytes > 0 else { return "" }
        return task.bytes > 0 ? "\(task.objects), \(bytes(Double(task.bytes)))" : "\(task.objects)"
    }

    private static func rate(_ task: TasksReport.Item) -> String {
        let rates = "\(Int(task.objectsPerSecond))/s, \(bytes(task.bytesPerSecond))/s"
        return task.pacePercent < 100 ? "\(rates) (\(task.pacePercent)% for clients)" : rates
    }

    private static func bytes(_ count: Double) -> String {
        var (count, unit) = (count, 0)
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        while count >= 1024, unit < units.count - 1 {
            count /= 1024
            unit += 1
        }
        return unit == 0 ? "\(Int(count)) B" : "\((count * 10).rounded() / 10) \(units[unit])"
    }
}
