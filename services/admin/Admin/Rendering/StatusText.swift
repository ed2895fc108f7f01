import ClusterState

/// `status`, `version all` and `start` for people.
enum StatusText {
    static func cluster(_ report: StatusReport) -> String {
        // "Confiuration" is how leofs-adm spells it: scripts look for it.
        [" [System Confiuration]", settings(report.systemInfo), "", " [State of Node(s)]", nodes(report.nodeList)]
            .joined(separator: "\n")
    }

    private static func settings(_ info: StatusReport.SystemInfo) -> String {
        let basic = [
            ("system version", info.version), ("cluster Id", info.clusterId), ("DC Id", info.dcId),
            ("Total replicas", "\(info.n)"), ("number of successes of R", "\(info.r)"),
            ("number of successes of W", "\(info.w)"), ("number of successes of D", "\(info.d)"),
            ("number of rack-awareness replicas", "\(info.rackAwarenessReplicas)"),
            ("ring size", "2^\(info.ringSize)"), ("number of partitions", "\(info.partitions)"),
            ("linearizable", info.linearizable ? "yes" : "no"),
        ]
        let ring = [
            ("current ring-hash", info.ringHashCur), ("previous ring-hash", info.ringHashPrev),
            ("ring epoch", "\(info.ringEpoch)"),
        ]
        return ItemList(sections: [
            .init(title: "Basic/Consistency level", items: basic.map { (name: $0.0, value: $0.1) }),
            .init(title: "Manager RING hash", items: ring.map { (name: $0.0, value: $0.1) }),
        ]).text
    }

    private static func nodes(_ nodes: [StatusReport.Node]) -> String {
        TextTable(
            columns: [
                .init("type", width: 5), .init("node", width: 24), .init("state", width: 12),
                .init("rack id", width: 7), .init("current ring", width: 14), .init("prev ring", width: 14),
                .init("updated at", width: 26), .init("last heard", width: 12, .right),
            ],
            rows: nodes.map {
                [" \($0.type)", $0.node, $0.state, $0.rackId, $0.ringCur, $0.ringPrev, $0.when, heard($0)]
            }
        ).text
    }

    private static func heard(_ node: StatusReport.Node) -> String {
        guard node.type != "M" else { return "" }
        guard let silence = node.silentMilliseconds else { return "never" }
        let age =
            silence < 10_000
            ? "\(silence / 1000).\(silence % 1000 / 100) s" : DurationText.make(seconds: silence / 1000)
        return node.liveness == "suspected" ? age + " ?" : age
    }

    static func versions(_ report: VersionReport) -> String {
        TextTable(
            columns: [.init("type", width: 5), .init("node", width: 24), .init("version", width: 10)],
            rows: report.nodes.map { [" \($0.type)", $0.node, $0.version] }
        ).text
    }

    /// What follows "Generating RING...".
    static func started(_ report: StartReport) -> String {
        let count = report.nodes.count
        let lines = report.nodes.enumerated().map { index, node in
            "OK " + pad("\((index + 1) * 100 / count)%", 4, .right) + " - \(node)"
        }
        return (["Generated RING"] + lines + ["OK"]).joined(separator: "\n")
    }
}
