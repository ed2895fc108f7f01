import ClusterState

/// Buckets and endpoints for people.
enum BucketText {
    static func all(_ report: BucketsReport) -> String {
        table(report, [.init("cluster id"), .init("bucket"), .init("owner")]) { [$0.clusterId, $0.bucket, $0.owner] }
    }

    static func own(_ report: BucketsReport) -> String {
        table(report, [.init("bucket")]) { [$0.bucket] }
    }

    private static func table(
        _ report: BucketsReport, _ columns: [TextTable.Column], _ cells: (BucketsReport.Bucket) -> [String]
    ) -> String {
        let rest: [TextTable.Column] = [
            .init("permissions"), .init("redundancy method"), .init("created at", width: 25),
        ]
        return TextTable(
            columns: columns + rest,
            rows: report.buckets.map { cells($0) + [$0.permissions, $0.redundancyMethod, $0.createdAt] }, framed: false
        ).text
    }

    static func endpoints(_ report: EndpointsReport) -> String {
        TextTable(
            columns: [.init("endpoint"), .init("created at", width: 25)],
            rows: report.endpoints.map { [$0.endpoint, $0.createdAt] }, framed: false
        ).text
    }
}
