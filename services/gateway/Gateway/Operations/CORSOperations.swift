import Model
import NIOHTTP1
import S3Protocol
import Wire

/// CORS: the configuration of a bucket, what browsers ask before a request, and the headers on the answers.
extension S3Operations {
    static let corsTable: [S3Operation: Operation] = [
        .getBucketCors: get(cors), .putBucketCors: put(cors), .deleteBucketCors: delete(cors),
    ]

    private static let cors = BucketConfiguration(name: "cors", absence: .error(.noSuchCORSConfiguration)) {
        body, _, _ in
        _ = try CORSConfiguration(parsing: body)
        return body
    }

    /// `OPTIONS`: needs no credentials. Whether the bucket exists is not told to those whom no rule lets in.
    func preflight(_ request: S3Request) async throws -> S3Response {
        guard let origin = request.headers.first(name: "origin"),
            let method = request.headers.first(name: "access-control-request-method")
        else {
            throw S3Error(.invalidRequest, "Insufficient information. Origin request header needed.")
        }
        let names = request.headers["access-control-request-headers"].flatMap { $0.split(separator: ",") }
        let asked = CORSConfiguration.Request(
            origin: origin, method: method, headers: names.map { $0.filter { $0 != " " } })
        guard let bucket = request.bucket, let record = try? await buckets.find(bucket),
            let rule = try Self.rule(of: record, for: asked)
        else { throw S3Error(.accessForbidden, fields: [.init("Method", method), .init("ResourceType", "OBJECT")]) }
        return S3Response(headers: HTTPHeaders(rule.answer(to: asked, isPreflight: true)))
    }

    /// Lets a script of another site read the answer, if the bucket allows it. Errors too: the script is to see them.
    func addCORS(to response: inout S3Response, _ request: S3Request) {
        guard request.operation != .preflight, let origin = request.headers.first(name: "origin"),
            let bucket = request.bucket, let record = buckets.known(bucket), record.document("cors") != nil
        else { return }
        let asked = CORSConfiguration.Request(origin: origin, method: request.method.rawValue)
        guard let rule = try? Self.rule(of: record, for: asked) else { return }
        for (name, value) in rule.answer(to: asked, isPreflight: false) {
            response.headers.replaceOrAdd(name: name, value: value)
        }
    }

    private static func rule(
        of bucket: BucketRecord, for request: CORSConfiguration.Request
    ) throws -> CORSConfiguration.Rule? {
        guard let document = bucket.document("cors") else { return nil }
        return try CORSConfiguration(parsing: document).rule(for: request)
    }
}
