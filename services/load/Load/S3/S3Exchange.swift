import NIOCore
import NIOHTTP1

/// One request as it goes over a connection, and what is wanted of its answer.
struct S3Exchange: Sendable {
    enum Wanted: Sendable {
        case head
        /// The body, up to 4 MiB.
        case text
        /// How long the body is.
        case length
        /// The body compared with the version that its metadata names.
        case content(key: String)
    }

    var head: HTTPRequestHead
    var body: S3Body
    var wanted: Wanted
    var timeout: TimeAmount
    var answer: EventLoopPromise<S3Answer>
}

struct S3Answer: Sendable {
    var status: Int
    var headers: HTTPHeaders
    /// Of the body.
    var bytes: Int
    var text: String
    /// Of an object that this tool wrote; nil for others.
    var version: ObjectVersion?
    /// Why the body is not what it should be; nil when it is.
    var fault: String?
}

enum ConnectionFailure: Error, Sendable, CustomStringConvertible {
    case closed, timedOut

    var description: String {
        switch self {
        case .closed: "the connection was closed"
        case .timedOut: "no answer in time"
        }
    }
}
