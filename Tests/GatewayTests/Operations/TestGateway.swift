import ClusterState
import Logging
import Model
import NIOCore
import NIOHTTP1
import Observability
import S3Protocol
import Synchronization
import Testing
import Wire

@testable import Gateway

/// The operations of a gateway over storage and cluster in memory, with users alice and bob.
struct TestGateway: GatewayUnderTest {
    let storage: MemoryStorage
    let cluster: MemoryCluster
    let time = TestTime()
    let operations: S3Operations

    static let now: Int64 = 1_700_000_000_123
    static let alice = Identity.alice
    static let bob = Identity.user(UserRecord(id: "bob"))

    init(
        storage: MemoryStorage = MemoryStorage(), cluster: MemoryCluster = MemoryCluster(), notifier: Notifier? = nil
    ) {
        self.storage = storage
        self.cluster = cluster
        let refresh = SharedRefresh(cluster: cluster, interval: .zero)
        let buckets = BucketDirectory(cluster: cluster, changes: cluster, refresh: refresh)
        operations = S3Operations(
            storage: storage, buckets: buckets,
            encryptionKeys: EncryptionKeys(master: .random(), cluster: cluster, refresh: refresh),
            quotas: Quotas(cluster: cluster, now: { [time] in time.now }) { [storage] in storage.usage(of: $0) },
            notifier: notifier,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            metrics: MetricsRegistry(), clock: { [time] in Self.now + time.milliseconds }, now: { [time] in time.now })
    }

    /// With a bucket `box` of alice.
    static func withBucket(
        acl: String = "private", documents: [String: String] = [:]
    ) async throws -> TestGateway {
        let gateway = TestGateway()
        gateway.cluster.add("box", acl: acl, documents: documents)
        try await gateway.cluster.refresh()
        return gateway
    }
}

extension Identity {
    static let alice = Identity.user(UserRecord(id: "alice"))
}

/// Something that carries out requests to the bucket `box`.
protocol GatewayUnderTest {
    var operations: S3Operations { get }
}

extension GatewayUnderTest {
    func send(
        _ operation: S3Operation, _ method: HTTPMethod = .GET, bucket: String? = "box", key: String? = nil,
        query: [(String, String?)] = [], headers: HTTPHeaders = [:], body: [UInt8] = [], as user: Identity = .alice
    ) async -> Answer {
        await send(
            operation, method, bucket: bucket, key: key, query: query, headers: headers,
            content: RequestBody(bytes: ByteBuffer(bytes: body)), as: user)
    }

    func send(
        _ operation: S3Operation, _ method: HTTPMethod = .GET, bucket: String? = "box", key: String? = nil,
        query: [(String, String?)] = [], headers: HTTPHeaders = [:], content: RequestBody, as user: Identity = .alice
    ) async -> Answer {
        let response = await operations.handle(
            S3Request(
                id: "request-1", method: method, operation: operation, bucket: bucket, key: key,
                query: S3Query(query.map { S3Query.Item($0.0, $0.1) }), headers: headers, identity: user,
                body: content))
        return await Answer(response)
    }

    // MARK: - Shorthand

    @discardableResult
    func put(
        _ key: String, _ body: [UInt8] = Array("content".utf8), headers: HTTPHeaders = [:], as user: Identity = .alice
    ) async -> Answer {
        await send(.putObject, .PUT, key: key, headers: headers, body: body, as: user)
    }

    func get(
        _ key: String, query: [(String, String?)] = [], headers: HTTPHeaders = [:], as user: Identity = .alice
    ) async -> Answer {
        await send(.getObject, key: key, query: query, headers: headers, as: user)
    }
}

/// A clock that only tests move.
final class TestTime: Sendable {
    private let origin = ContinuousClock.now
    private let passed = Mutex(Duration.zero)

    var now: ContinuousClock.Instant { passed.withLock { origin + $0 } }
    /// That have passed.
    var milliseconds: Int64 { passed.withLock { Int64($0 / .milliseconds(1)) } }

    func pass(_ duration: Duration) { passed.withLock { $0 += duration } }
}

/// Bytes in pieces of 100,000, with something that happens before the end.
final class EventfulSource: BodySource {
    private let rest: Mutex<ByteBuffer>
    private let beforeEnd: @Sendable () async throws(S3Error) -> Void

    init(_ bytes: [UInt8], beforeEnd: @escaping @Sendable () async throws(S3Error) -> Void) {
        rest = Mutex(ByteBuffer(bytes: bytes))
        self.beforeEnd = beforeEnd
    }

    func next() async throws(S3Error) -> ByteBuffer? {
        let piece = rest.withLock { $0.readSlice(length: min(100_000, $0.readableBytes)) }
        if let piece, piece.readableBytes > 0 { return piece }
        try await beforeEnd()
        return nil
    }
}

extension RequestBody {
    /// The body of a PutObject or UploadPart.
    convenience init(_ bytes: [UInt8], beforeEnd: @escaping @Sendable () async throws(S3Error) -> Void) {
        var plan = BodyPlan(declaredLength: UInt64(bytes.count))
        plan.computesMD5 = true
        self.init(plan, source: EventfulSource(bytes, beforeEnd: beforeEnd), budget: nil)
    }
}

/// Zeros without an end.
private final class EndlessSource: BodySource {
    private let onPiece: @Sendable (Int) -> Void

    init(_ onPiece: @escaping @Sendable (Int) -> Void) { self.onPiece = onPiece }

    func next() async throws(S3Error) -> ByteBuffer? {
        onPiece(100_000)
        return ByteBuffer(repeating: 0, count: 100_000)
    }
}

extension RequestBody {
    /// A body of this size, or so it says. `onPiece` is told the size of each piece that is taken.
    convenience init(endless size: UInt64, onPiece: @escaping @Sendable (Int) -> Void) {
        var plan = BodyPlan(declaredLength: size)
        plan.computesMD5 = true
        self.init(plan, source: EndlessSource(onPiece), budget: nil)
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
        case .open(let producer):
            do {
                while let bytes = try await producer() { body += bytes.readableBytesView }
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
