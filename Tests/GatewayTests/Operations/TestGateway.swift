import Logging
import Model
import NIOCore
import NIOHTTP1
import S3Protocol
import Testing
import Wire

@testable import Gateway

/// The operations of a gateway over storage and cluster in memory, with users alice and bob.
struct TestGateway {
    let storage: MemoryStorage
    let cluster = MemoryCluster()
    let operations: S3Operations

    static let now: Int64 = 1_700_000_000_123
    static let alice = Identity.user(UserRecord(id: "alice"))
    static let bob = Identity.user(UserRecord(id: "bob"))

    init(storage: MemoryStorage = MemoryStorage()) {
        self.storage = storage
        let buckets = BucketDirectory(cluster: cluster, changes: cluster, refreshInterval: .zero)
        operations = S3Operations(
            storage: storage, buckets: buckets, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            clock: { Self.now })
    }

    /// With a bucket `box` of alice.
    static func withBucket(acl: String = "private") async throws -> TestGateway {
        let gateway = TestGateway()
        gateway.cluster.add("box", acl: acl)
        try await gateway.cluster.refresh()
        return gateway
    }

    func send(
        _ operation: S3Operation, _ method: HTTPMethod = .GET, bucket: String? = "box", key: String? = nil,
        query: [(String, String?)] = [], headers: HTTPHeaders = [:], body: [UInt8] = [], as user: Identity = alice
    ) async -> Answer {
        let response = await operations.handle(
            S3Request(
                id: "request-1", method: method, operation: operation, bucket: bucket, key: key,
                query: S3Query(query.map { S3Query.Item($0.0, $0.1) }), headers: headers, identity: user,
                body: RequestBody(bytes: ByteBuffer(bytes: body))))
        return await Answer(response)
    }

    // MARK: - Shorthand

    @discardableResult
    func put(
        _ key: String, _ body: [UInt8] = Array("content".utf8), headers: HTTPHeaders = [:], as user: Identity = alice
    ) async -> Answer {
        await send(.putObject, .PUT, key: key, headers: headers, body: body, as: user)
    }

    func get(
        _ key: String, query: [(String, String?)] = [], headers: HTTPHeaders = [:], as user: Identity = alice
    ) async -> Answer {
        await send(.getObject, key: key, query: query, headers: headers, as: user)
    }
}

/// A response with its body collected.
struct Answer {
    var status: Int
    var headers: HTTPHeaders
    var body: [UInt8] = []
    /// The stream of the body broke.
    var broken = false

    init(_ response: S3Response) async {
        status = Int(response.status.code)
        headers = response.headers
        switch response.body {
        case .empty: break
        case .bytes(let bytes): body = Array(bytes.readableBytesView)
        case .stream(let length, let producer):
            do {
                while let bytes = try await producer() { body += bytes.readableBytesView }
                broken = body.count != length
            } catch { broken = true }
        }
    }

    var text: String { String(decoding: body, as: UTF8.self) }
    var xml: XMLNode? { try? XMLReader.parse(body, sizeMax: 10 << 20) }
    /// Code of an error's document.
    var code: String? { xml.flatMap { $0.name == "Error" ? $0.value("Code") : nil } }
    var etag: String? { headers.first(name: "ETag") }

    func values(_ element: String, _ child: String) -> [String] {
        xml?.children(element).compactMap { $0.child(child)?.text } ?? []
    }
}

/// Bytes that differ from place to place.
func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        for index in 0..<count { buffer[index] = UInt8(truncatingIfNeeded: (index &+ seed) &* 31 &+ index >> 10) }
        initialized = count
    }
}
