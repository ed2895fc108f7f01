import NIOHTTP1
import S3Protocol

/// Sub-resources that SDKs and tools probe, answered as a bucket answers that has none of them configured.
extension S3Operations {
    private enum Answer: Sendable {
        case error(S3ErrorCode)
        /// With an `id` there is no such configuration, without one their list is empty, under this element.
        case list(StaticString)
        /// Nothing was there, so it is gone.
        case gone
    }

    static let emptyConfigurationTable: [S3Operation: Operation] = emptyAnswers.mapValues { answer in
        { _ in { call in try S3Operations.response(answer, call) } }
    }

    private static let emptyAnswers: [S3Operation: Answer] = [
        .getBucketAnalyticsConfiguration: .list("ListBucketAnalyticsConfigurationResult"),
        .getBucketIntelligentTieringConfiguration: .list("ListBucketIntelligentTieringConfigurationsOutput"),
        .getBucketInventoryConfiguration: .list("ListInventoryConfigurationsResult"),
        .getBucketMetricsConfiguration: .list("ListMetricsConfigurationsResult"),
        .getBucketReplication: .error(.replicationConfigurationNotFound),
        .deleteBucketReplication: .gone,
    ]

    private static func response(_ answer: Answer, _ call: S3Call) throws -> S3Response {
        switch answer {
        case .list(let name):
            guard call.request.query["id"] == nil else { throw S3Error(.noSuchConfiguration) }
            var writer = XMLWriter()
            writer.element(name, namespace: XMLWriter.s3Namespace) { $0.element("IsTruncated", "false") }
            return .xml(writer.bytes)
        case .error(let code): throw S3Error(code)
        case .gone: return S3Response(status: .noContent)
        }
    }
}
