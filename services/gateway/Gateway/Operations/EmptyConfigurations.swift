import NIOHTTP1
import S3Protocol

/// Sub-resources that SDKs and tools probe, answered as a bucket answers that has none of them configured.
extension S3Operations {
    private enum Answer: Sendable {
        case error(S3ErrorCode)
        /// Nothing was there, so it is gone.
        case gone
    }

    static let emptyConfigurationTable: [S3Operation: Operation] = emptyAnswers.mapValues { answer in
        { _ in { _ in try S3Operations.response(answer) } }
    }

    private static let emptyAnswers: [S3Operation: Answer] = [
        .getBucketAnalyticsConfiguration: .error(.noSuchConfiguration),
        .getBucketIntelligentTieringConfiguration: .error(.noSuchConfiguration),
        .getBucketInventoryConfiguration: .error(.noSuchConfiguration),
        .getBucketMetricsConfiguration: .error(.noSuchConfiguration),
        .getBucketReplication: .error(.replicationConfigurationNotFound),
        .deleteBucketReplication: .gone,
    ]

    private static func response(_ answer: Answer) throws -> S3Response {
        switch answer {
        case .error(let code): throw S3Error(code)
        case .gone: return S3Response(status: .noContent)
        }
    }
}
