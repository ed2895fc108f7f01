import ClusterState
import MessageBus
import NIOCore
import NIOHTTP1
import ObjectAccess
import S3Protocol

/// What went wrong, as a client of Swift understands it: a status, and a line or a short page.
struct SwiftError: Error, Sendable {
    var status: Int
    /// One plain line; nil: the page of the status.
    var message: String?
    var headers: HTTPHeaders

    init(_ status: Int, _ message: String? = nil, headers: HTTPHeaders = [:]) {
        self.status = status
        self.message = message
        self.headers = headers
    }

    static let badRequest = SwiftError(400)
    static let forbidden = SwiftError(403)
    static let notFound = SwiftError(404)
    static let preconditionFailed = SwiftError(412)
    static let invalidName = SwiftError(412, "Invalid UTF8 or contains NULL")

    /// What the pages of a status say: title and sentence.
    private static let pages: [Int: (title: String, text: String)] = [
        400: ("Bad Request", "The server could not comply with the request since it is either malformed or incorrect."),
        401: (
            "Unauthorized", "This server could not verify that you are authorized to access the document you requested."
        ),
        403: ("Forbidden", "Access was denied to this resource."),
        404: ("Not Found", "The resource could not be found."),
        405: ("Method Not Allowed", "The method is not allowed for this resource."),
        406: ("Not Acceptable", "The resource is not available in a format acceptable to your browser."),
        408: ("Request Timeout", "The server has waited too long for the request to be sent by the client."),
        409: ("Conflict", "There was a conflict when trying to complete your request."),
        410: ("Gone", "This resource is no longer available."),
        411: ("Length Required", "Content-Length header required."),
        412: ("Precondition Failed", "A precondition for this request was not met."),
        413: ("Request Entity Too Large", "The body of your request was too large for this server."),
        416: ("Requested Range Not Satisfiable", "The Range requested is not available."),
        422: ("Unprocessable Entity", "Unable to process the contained instructions"),
        499: ("Client Disconnect", "The client was disconnected during request."),
        500: ("Internal Error", "The server has either erred or is incapable of performing the requested operation."),
        502: ("Bad Gateway", "Bad gateway."),
        501: ("Not Implemented", "The requested method is not implemented by this server."),
        503: ("Service Unavailable", "The server is currently unavailable. Please try again at a later time."),
        507: ("Insufficient Storage", "There was not enough space to save the resource."),
    ]

    static func reason(_ status: Int) -> String { pages[status]?.title ?? "Error" }

    var body: String {
        if let message { return message }
        let page = Self.pages[status] ?? ("Error", "")
        return "<html><h1>\(page.title)</h1><p>\(page.text)</p></html>"
    }

    var response: S3Response {
        var response = S3Response(
            status: .init(statusCode: status, reasonPhrase: Self.reason(status)), headers: headers,
            body: .bytes(ByteBuffer(string: body)))
        if !response.headers.contains(name: "Content-Type") {
            response.headers.add(
                name: "Content-Type", value: message == nil ? "text/html; charset=UTF-8" : "text/plain")
        }
        if status == 503, !response.headers.contains(name: "Retry-After") {
            response.headers.add(name: "Retry-After", value: "1")
        }
        return response
    }
}

/// An error that knows how it is told.
protocol SwiftAnswering {
    var answer: SwiftError { get }
}

extension SwiftError {
    /// Any error as a client is to see it. What may pass is 503: clients give up on a 4xx.
    init(_ error: any Error) {
        switch error {
        case let error as SwiftError: self = error
        case is PasswordChecker.Overloaded, is ExternalKeystone.Unavailable: self.init(503)
        case AccessError.refused(let reason as SwiftError): self = reason
        case let error as any SwiftAnswering: self = error.answer
        default: self.init(s3: S3Error(error))
        }
    }

    private init(s3 error: S3Error) {
        switch error.code {
        case .preconditionFailed: self = .preconditionFailed
        case .badDigest: self.init(422)
        case .entityTooLarge, .maxMessageLengthExceeded: self.init(413)
        case .incompleteBody: self.init(499)
        case .requestTimeout: self.init(408)
        case .noSuchBucket, .noSuchKey: self = .notFound
        case .accessDenied: self = .forbidden
        case .quotaExceeded: self.init(413, "Upload exceeds quota.")
        case .missingContentLength: self.init(411, "Missing Content-Length header.")
        case .insufficientStorage: self.init(507)
        case .methodNotAllowed: self.init(405)
        // Object lock, or a bucket that is being deleted.
        case .operationAborted: self.init(409)
        case .notImplemented: self.init(501)
        default:
            switch error.status {
            case 503: self.init(503)
            case 500...: self.init(500)
            default: self.init(400, error.message)
            }
        }
    }
}
