import Model
import NIOCore
import NIOHTTP1
import S3Protocol
import Wire

/// Buckets as static websites: their configuration, and what browsers get under a website's host name.
extension S3Operations {
    static let websiteTable: [S3Operation: Operation] = [
        .getBucketWebsite: get(website), .putBucketWebsite: put(website), .deleteBucketWebsite: delete(website),
    ]

    private static let website = BucketConfiguration(
        name: "website", absence: .error(.noSuchWebsiteConfiguration)
    ) { body, _, _ in
        _ = try WebsiteConfiguration(parsing: body)
        return body
    }

    /// A page of a website. Errors are pages too.
    func webPage(_ request: S3Request) async -> S3Response {
        do {
            guard request.method == .GET || request.method == .HEAD else { throw S3Error(.methodNotAllowed) }
            let bucket = try await buckets.find(request.bucket ?? "")
            guard let document = bucket.document("website") else {
                throw S3Error(.noSuchWebsiteConfiguration, fields: [.init("BucketName", bucket.name)])
            }
            return await page(try WebsiteConfiguration(parsing: document), request)
        } catch {
            return Self.errorPage(S3Error(error), request)
        }
    }

    private func page(_ website: WebsiteConfiguration, _ request: S3Request) async -> S3Response {
        let key = request.key ?? ""
        if let redirect = website.redirect(of: key) { return Self.redirection(redirect, request) }
        let index = website.indexSuffix ?? ""
        do {
            let answer = try await object(key.isEmpty || key.hasSuffix("/") ? key + index : key, request)
            guard let target = answer.headers.first(name: "x-amz-website-redirect-location") else { return answer }
            return S3Response(status: .movedPermanently, headers: ["Location": target])
        } catch {
            let error = S3Error(error)
            // A folder without its slash: its page names others relative to it.
            if !key.isEmpty, !key.hasSuffix("/"), [403, 404].contains(error.status),
                await exists(key + "/" + index, request)
            {
                return S3Response(status: .found, headers: ["Location": "/" + PercentEncoding.encode(key + "/")])
            }
            if let redirect = website.redirect(of: key, failedWith: error.status) {
                return Self.redirection(redirect, request)
            }
            guard (400..<500).contains(error.status), let page = website.errorKey,
                var answer = try? await object(page, request, plainly: true)
            else { return Self.errorPage(error, request) }
            answer.status = HTTPResponseStatus(statusCode: error.status)
            return answer
        }
    }

    /// - Parameter plainly: without the conditions and ranges of the request.
    private func object(_ key: String, _ request: S3Request, plainly: Bool = false) async throws -> S3Response {
        var reading = request
        reading.operation = request.method == .HEAD ? .headObject : .getObject
        reading.key = key
        reading.query = S3Query()
        if plainly { reading.headers = HTTPHeaders() }
        return try await perform(reading)
    }

    private func exists(_ key: String, _ request: S3Request) async -> Bool {
        var probe = request
        probe.method = .HEAD
        return (try? await object(key, probe, plainly: true)) != nil
    }

    private static func redirection(
        _ redirect: (location: WebsiteConfiguration.Target, status: Int), _ request: S3Request
    ) -> S3Response {
        let target = redirect.location
        let host = target.host ?? request.headers.first(name: "host") ?? ""
        let scheme = target.scheme ?? (request.isSecure ? "https" : "http")
        return S3Response(
            status: HTTPResponseStatus(statusCode: redirect.status),
            headers: ["Location": "\(scheme)://\(host)/\(PercentEncoding.encode(target.key))"])
    }

    private static func errorPage(_ error: S3Error, _ request: S3Request) -> S3Response {
        let status = HTTPResponseStatus(statusCode: error.status)
        let title = "\(status.code) \(status.reasonPhrase)"
        var lines = ["Code: \(error.code.rawValue)", "Message: \(error.message)"]
        lines += error.fields.map { "\($0.name): \($0.value)" }
        lines.append("RequestId: \(request.id)")
        let items = lines.map { "<li>\(XMLWriter.escaped($0))</li>\n" }.joined()
        let text =
            "<html>\n<head><title>\(title)</title></head>\n<body>\n<h1>\(title)</h1>\n<ul>\n\(items)</ul>\n</body>\n</html>\n"
        return S3Response(
            status: status,
            headers: ["Content-Type": "text/html; charset=utf-8", "x-amz-error-code": error.code.rawValue],
            body: .bytes(ByteBuffer(string: text)))
    }
}
