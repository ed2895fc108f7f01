/// What went wrong, as a client of S3 understands it: knows its status and its XML.
public struct S3Error: Error, Sendable, Equatable, CustomStringConvertible {
    /// An element of the error's XML besides the usual ones.
    public struct Field: Sendable, Equatable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    public var code: S3ErrorCode
    public var message: String
    /// The bucket or object that the request was about, as in its path; filled in by the front when absent.
    public var resource: String?
    public var fields: [Field]
    /// Headers of the answer besides the usual ones.
    public var headers: [Field] = []

    public init(_ code: S3ErrorCode, _ message: String? = nil, resource: String? = nil, fields: [Field] = []) {
        self.code = code
        self.message = message ?? code.message
        self.resource = resource
        self.fields = fields
    }

    public var status: Int { code.status }

    public var description: String { "\(code.rawValue): \(message)" }

    /// The body of the response.
    public func xml(requestID: String, resource path: String? = nil) -> [UInt8] {
        var writer = XMLWriter()
        writer.element("Error") { error in
            error.element("Code", code.rawValue)
            error.element("Message", message)
            for field in fields { error.element(field.name, field.value) }
            if let resource = resource ?? path { error.element("Resource", resource) }
            error.element("RequestId", requestID)
            error.element("HostId", "martlet")
        }
        return writer.bytes
    }

    /// An argument that is not valid, as AWS reports it.
    public static func invalidArgument(_ message: String, name: String, value: String) -> S3Error {
        S3Error(
            .invalidArgument, message, fields: [Field("ArgumentName", name), Field("ArgumentValue", value)])
    }
}
