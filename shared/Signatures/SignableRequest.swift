/// What a signature covers of a request, as it stands on the wire.
public struct SignableRequest: Sendable {
    public struct Header: Sendable {
        /// Lower case.
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name.lowercased()
            self.value = value
        }
    }

    public var method: String
    /// Percent-encoded, without query, without scheme and authority.
    public var rawPath: String
    /// Percent-encoded, without the question mark.
    public var rawQuery: String
    public var headers: [Header]
    /// The bucket when the host names it: signature v2 puts it before the path.
    public var bucketInHost: String?

    public init(
        method: String, rawPath: String, rawQuery: String = "", headers: [Header], bucketInHost: String? = nil
    ) {
        self.method = method
        self.rawPath = rawPath
        self.rawQuery = rawQuery
        self.headers = headers
        self.bucketInHost = bucketInHost
    }

    /// The values of a header, by its lower-case name.
    func values(_ name: String) -> [String] { headers.lazy.filter { $0.name == name }.map(\.value) }

    func count(_ name: String) -> Int {
        headers.reduce(0) { $0 + ($1.name == name ? 1 : 0) }
    }

    func first(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}
