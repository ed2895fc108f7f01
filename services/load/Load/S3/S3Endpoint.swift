import Foundation

/// Where S3 is served: `http://host:port`.
struct S3Endpoint: Sendable, Equatable {
    var host: String
    var port: Int

    /// nil unless an http address without a path.
    init?(_ text: String) {
        guard let url = URLComponents(string: text), url.scheme == "http", let host = url.host, !host.isEmpty,
            url.path.isEmpty || url.path == "/", url.query == nil
        else { return nil }
        self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        port = url.port ?? 80
    }

    /// As in a Host header.
    var authority: String { (host.contains(":") ? "[\(host)]" : host) + (port == 80 ? "" : ":\(port)") }
}
