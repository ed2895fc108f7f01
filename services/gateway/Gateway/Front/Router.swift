import NIOHTTP1

/// Finds out which operation of S3 a request asks for.
enum Router {
    /// LeoFS's address for load balancers.
    static let pingPath = "/_leofs_adm/ping"

    /// Told without taking the request apart.
    static func isPing(_ head: HTTPRequestHead) -> Bool { head.method == .GET && head.uri == pingPath }

    static func operation(_ method: HTTPMethod, _ target: RequestTarget, _ query: S3Query, _ headers: HTTPHeaders)
        -> S3Operation
    {
        guard let method = SubResources.Method(rawValue: method.rawValue) else { return .unknown }
        guard target.bucket != nil else {
            return method == .GET ? .listBuckets : method == .OPTIONS ? .preflight : .unknown
        }
        let isObject = target.key != nil
        let table = isObject ? SubResources.object : SubResources.bucket
        // A name of the other level's table is a sub-resource too: `?versioning` on an object is not a plain GET.
        let other = isObject ? SubResources.bucket : SubResources.object
        let named = Set(query.items.map(\.name).filter { table[$0] != nil || other[$0] != nil })
        guard named.count <= 1 else { return .unknown }
        guard let name = named.first else { return plainOperation(method, isObject, query, headers) }
        guard let operation = table[name]?[method] else { return .unknown }
        return refined(operation, query, headers)
    }

    private static func plainOperation(
        _ method: SubResources.Method, _ isObject: Bool, _ query: S3Query, _ headers: HTTPHeaders
    ) -> S3Operation {
        let row = isObject ? SubResources.plainObject : SubResources.plainBucket
        guard let operation = row[method] else { return .unknown }
        return refined(operation, query, headers)
    }

    /// Operations that share method and sub-resource.
    private static func refined(_ operation: S3Operation, _ query: S3Query, _ headers: HTTPHeaders) -> S3Operation {
        let copies = headers.contains(name: "x-amz-copy-source")
        switch operation {
        case .listObjects: return query["list-type"] == "2" ? .listObjectsV2 : .listObjects
        // Parameters of a part without its upload: not a plain PUT.
        case .putObject where query.contains("partNumber"): return .unknown
        case .putObject: return copies ? .copyObject : .putObject
        case .uploadPart: return copies ? .uploadPartCopy : .uploadPart
        default: return operation
        }
    }
}
