import NIOCore
import NIOHTTP1
import S3Protocol

/// One client of S3, with a connection of its own.
final class S3Target: LoadTarget {
    private let client: S3Client
    private let plan: LoadPlan
    private let ahead: SignedAhead?

    init(_ client: S3Client, _ plan: LoadPlan, ahead: SignedAhead?) {
        self.client = client
        self.plan = plan
        self.ahead = ahead
    }

    func moveOn() { client.moveOn() }
    func close() { client.close() }

    func perform(
        _ planned: PlannedOperation, turn: Int, _ content: ObjectContent?, isolation: isolated (any Actor)?
    ) async throws -> OperationResult {
        if planned.operation == .multipart, let content {
            let path = S3Request.path(of: planned.key, in: plan.bucket)
            let answer = try await MultipartUpload(
                client: client, path: path, content: content, partSize: plan.partSize
            ).run(isolation: isolation)
            return Self.judge(planned.operation, answer, content)
        }
        let signed = ahead?.headers(turn: turn, version: content?.version, endpoint: client.endpoint)
        let answer = try await client.send(S3Request(planned, content, plan), signed: signed).get()
        return Self.judge(planned.operation, answer, content)
    }

    static func judge(_ operation: LoadOperation, _ answer: S3Answer, _ content: ObjectContent?) -> OperationResult {
        switch answer.status {
        case 200..<300:
            if let fault = answer.fault { return .wrong(fault, version: answer.version) }
            if operation == .list, !answer.text.hasSuffix("</ListBucketResult>") { return .wrong("a cut listing") }
            return .done(bytes: content?.size ?? answer.bytes, version: answer.version)
        case 404 where operation == .get || operation == .head:
            guard answer.text.isEmpty || answer.text.contains("NoSuchKey") else { break }
            return .done(bytes: 0, found: false)
        default: break
        }
        let code = answer.text.firstMatch(of: /<Code>([^<]*)<\/Code>/).map { String($0.1) } ?? ""
        return .failed("\(answer.status) \(code)", mayRetry: answer.status >= 500 || answer.status == 429)
    }
}

/// Clients of S3, spread over the endpoints.
struct S3Targets: LoadTargets {
    static let operations = LoadOperation.allCases.filter { $0 != .ping }

    let settings: S3ClientSettings
    private var signed: SignedAhead?

    init(settings: S3ClientSettings) { self.settings = settings }

    /// Makes the bucket, and signs what is chosen already.
    func prepare(_ plan: LoadPlan, on group: any EventLoopGroup) async throws -> any LoadTargets {
        let answer = try await made(plan.bucket, on: group.next())
        guard (200..<300).contains(answer.status) || answer.status == 409 else {
            throw LoadFailure(.unreachable, "cannot make the bucket \(plan.bucket): \(answer.status) \(answer.text)")
        }
        guard plan.script?.isSignedAhead == true else { return self }
        var targets = self
        targets.signed = try SignedAhead(plan, settings)
        return targets
    }

    private func made(_ bucket: String, on eventLoop: any EventLoop) async throws -> S3Answer {
        do {
            return try await eventLoop.flatSubmit {
                S3Client(settings, on: eventLoop, first: 0).send(S3Request(.PUT, path: "/\(bucket)", wanted: .text))
            }.get()
        } catch {
            throw LoadFailure(.unreachable, "\(settings.endpoints[0].authority) cannot be reached: \(error)")
        }
    }

    func target(ofWorker id: Int, _ plan: LoadPlan, on eventLoop: any EventLoop) -> sending any LoadTarget {
        S3Target(S3Client(settings, on: eventLoop, first: id), plan, ahead: signed)
    }
}
