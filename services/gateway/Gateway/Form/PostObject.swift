import NIOCore
import NIOHTTP1
import S3Protocol

/// POST Object: a PutObject whose request is a form.
extension S3Operations {
    func postObject(_ call: S3Call) async throws -> S3Response {
        let put = try await putObject(call)
        let form = call.request.form ?? [:]
        let etag = put.headers.first(name: "ETag") ?? ""
        var response = put
        let host = call.request.headers.first(name: "host") ?? "localhost"
        let location = "http://\(host)/\(call.bucket.name)/\(PercentEncoding.encode(call.key))"
        if let target = redirect(form, call, etag: etag) {
            response.status = .seeOther
            response.headers.replaceOrAdd(name: "Location", value: target)
            return response
        }
        response.headers.replaceOrAdd(name: "Location", value: location)
        switch form["success_action_status"] {
        case "200": response.status = .ok
        case "201":
            var writer = XMLWriter()
            writer.element("PostResponse") { result in
                result.element("Location", location)
                result.element("Bucket", call.bucket.name)
                result.element("Key", call.key)
                result.element("ETag", etag)
            }
            response = .xml(writer.bytes, status: .created, headers: response.headers)
        default: response.status = .noContent
        }
        return response
    }

    /// Where the browser is to go: only to a web address; anything else is ignored, as AWS does.
    private func redirect(_ form: [String: String], _ call: S3Call, etag: String) -> String? {
        guard let target = form["success_action_redirect"] ?? form["redirect"],
            target.hasPrefix("http://") || target.hasPrefix("https://"),
            target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        let query = [("bucket", call.bucket.name), ("key", call.key), ("etag", etag)]
            .map { "\($0)=\(PercentEncoding.encode($1).replacing("/", with: "%2F"))" }.joined(separator: "&")
        return target + (target.contains("?") ? "&" : "?") + query
    }
}
