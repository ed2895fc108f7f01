import ClusterState
import MessageBus
import NIOCore
import NIOHTTP1
import ObjectAccess
import S3Protocol

extension S3Error {
    /// Any error as a client is to see it.
    init(_ error: any Error) {
        switch error {
        case let error as S3Error: self = error
        case let error as AccessError: self.init(access: error)
        case let error as BusError where error.status == .tooLarge: self.init(.maxMessageLengthExceeded)
        case let error as BusError:
            self.init(.serviceUnavailable, "The cluster's manager did not answer: \(error.status).")
        case is ClusterStateError: self.init(.serviceUnavailable, "The cluster's manager cannot be reached.")
        case is CancellationError: self.init(.requestTimeout)
        default: self.init(.internalError)
        }
    }

    private init(access error: AccessError) {
        switch error {
        case .refused(let reason): self.init(reason)
        case .overloaded: self.init(.slowDown)
        case .noQuorum(let reasons):
            self.init(.serviceUnavailable, "Too few replicas could be reached (\(reasons)). Please try again.")
        case .outcomeUnknown:
            self.init(
                .serviceUnavailable,
                "The outcome of the request is unknown: it may or may not have taken effect. Please try again.")
        case .deadlineExceeded: self.init(.serviceUnavailable, "The replicas did not answer in time.")
        case .notReady: self.init(.serviceUnavailable, "The cluster is not ready yet.")
        case .diskFull: self.init(.insufficientStorage)
        case .damaged, .absent: self.init(.internalError, "The content cannot be read: it is damaged or incomplete.")
        }
    }

    /// The answer to a request that failed.
    func response(to request: S3Request) -> S3Response {
        var response = S3Response(status: HTTPResponseStatus(statusCode: status))
        if request.method != .HEAD, code != .notModified {
            response = .xml(xml(requestID: request.id, resource: request.resource), status: response.status)
        }
        response.headers.add(contentsOf: retryHeaders)
        for header in headers { response.headers.add(name: header.name, value: header.value) }
        return response
    }

    static let noSuchKey = S3Error(.noSuchKey)

    static func noSuchKey(_ key: String) -> S3Error { S3Error(.noSuchKey, fields: [Field("Key", key)]) }
}
