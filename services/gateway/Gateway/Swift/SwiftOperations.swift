import ClusterState
import Logging
import MessageBus
import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// One request to an account or what is in it.
struct SwiftCall: Sendable {
    var request: SwiftRequest
    var operation: SwiftOperation
    var caller: SwiftCaller
    /// As in the path.
    var account: String
    /// nil: nobody's account.
    var project: ProjectRecord?
    var containerName: String?
    /// nil: there is none of this name.
    var container: BucketRecord?
    var object: [UInt8]?
    /// Of the object, as records name it; nil: the current one.
    var version: String?
    /// Symbolic links that led here.
    var linksFollowed = 0
    /// The caller owns the account: sees keys and lists.
    var isOwner = false

    var context: MessageContext { request.context }
    var objectName: String { String(decoding: object ?? [], as: UTF8.self) }

    func requiredProject() throws(SwiftError) -> ProjectRecord {
        guard let project else { throw .notFound }
        return project
    }

    func requiredContainer() throws(SwiftError) -> BucketRecord {
        guard let container else { throw .notFound }
        return container
    }
}

/// The object store's API, one extension a family. Everything is in the cluster; what is kept here are caches.
///
/// Objects are written, read and deleted through ``S3Operations``: so both fronts see the same, and keep the same promises.
final class SwiftOperations: Sendable {
    let settings: SwiftServiceSettings
    let tokens: TokenService
    let s3: S3Operations
    let changes: any IdentityChanging
    let usage: ContainerUsage
    let rates: WriteRates

    init(settings: SwiftServiceSettings, tokens: TokenService, s3: S3Operations, changes: any IdentityChanging) {
        self.settings = settings
        self.tokens = tokens
        self.s3 = s3
        self.changes = changes
        usage = ContainerUsage(storage: s3.storage, survey: s3.quotas.survey)
        rates = WriteRates(settings.rates)
    }

    var storage: any ObjectStorage { s3.storage }
    var clock: @Sendable () -> Int64 { s3.clock }

    func handle(_ request: SwiftRequest, _ trace: SwiftTrace) async throws -> S3Response {
        var (call, decision) = try await call(request, trace)
        if let page = try await webPage(call, decision) { return page }
        try SwiftAuthorization.check(decision, account: call.account)
        try Self.checkAccountExists(call)
        if call.object != nil { call.version = try Self.version(request.query["version-id"], in: call.container) }
        try await rates.admit(call)
        guard case .bearer(let grant) = call.caller else { return try await perform(call) }
        return try await perform(call, grant)
    }

    /// For the bearer of a signed address.
    private func perform(_ call: SwiftCall, _ grant: TemporaryGrant) async throws -> S3Response {
        try TemporaryAddress.checkHeaders(call.request.headers)
        do {
            var response = try await perform(call)
            grant.limit(&response, of: call)
            return response
        } catch var error as SwiftError {
            error.headers = TemporaryGrant.cleaned(error.headers)
            throw error
        }
    }

    private func perform(_ call: SwiftCall) async throws -> S3Response {
        switch call.operation {
        case .getAccount, .headAccount: try await getAccount(call)
        case .postAccount, .putAccount: try await changeAccount(call)
        case .deleteAccount: try await deleteAccount(call)
        case .getContainer, .headContainer: try await getContainer(call)
        case .putContainer: try await putContainer(call)
        case .postContainer: try await postContainer(call)
        case .deleteContainer: try await deleteContainer(call)
        case .getObject, .headObject: try await getObject(call)
        case .putObject: try await putObject(call)
        case .postObject: try await postObject(call)
        case .deleteObject: try await deleteObject(call)
        case .copyObject: try await copyObject(call)
        case .bulkDelete: try await bulkDelete(call)
        case .bulkUpload: try await bulkUpload(call)
        case .formPost: try await formPost(call)
        case .optionsAccount: Self.options(.account)
        case .optionsContainer: try preflight(call, .container)
        case .optionsObject: try preflight(call, .object)
        }
    }

    static func options(_ level: SwiftOperation.Level) -> S3Response {
        S3Response(headers: ["Allow": level.allow])
    }

    // MARK: - What a request is about

    private func call(_ request: SwiftRequest, _ trace: SwiftTrace) async throws -> (
        SwiftCall, SwiftAuthorization.Decision
    ) {
        let parts = SwiftTarget.parts(request.path, atMost: 4)
        let version = String(decoding: parts[0], as: UTF8.self)
        guard version == "v1" || version == "v1.0" else { throw version.hasPrefix("v") ? SwiftError(400) : .notFound }
        guard parts.count > 1, !parts[1].isEmpty else { throw SwiftError(412, "Bad URL") }
        let account = String(decoding: parts[1], as: UTF8.self)
        let container = parts.count > 2 && !parts[2].isEmpty ? String(decoding: parts[2], as: UTF8.self) : nil
        let object = container != nil && parts.count > 3 && !parts[3].isEmpty ? parts[3] : nil
        let level: SwiftOperation.Level = object != nil ? .object : container != nil ? .container : .account
        let operation = try SwiftOperation(request, level)
        trace.note(operation: "swift-" + operation.rawValue)
        try Self.checkNames(account, container, object)
        var call = SwiftCall(
            request: request, operation: operation, caller: .anonymous, account: account, containerName: container,
            object: object)
        try await locate(&call)
        if let container = call.container, container.document(BucketLogging.documentName) != nil {
            trace.note(.init(container: container, object: object))
        }
        call.caller = try await caller(call, trace)
        // The account of a project of another Keystone is made by the first token of its operator.
        if call.project == nil { try await locate(&call) }
        let decision = SwiftAuthorization.decide(
            operation.permission, call.caller, project: call.project, container: call.container,
            referer: request.header("referer"))
        call.isOwner = decision == .allowedAsOwner
        return (call, decision)
    }

    static let accountNameMax = 256
    static let containerNameMax = 256

    private static func checkNames(_ account: String, _ container: String?, _ object: [UInt8]?) throws(SwiftError) {
        guard account.utf8.count <= accountNameMax else {
            throw SwiftError(400, "Account name length of \(account.utf8.count) longer than \(accountNameMax)")
        }
        if let container { try checkContainerName(container) }
        if let object { try checkObjectName(object) }
    }

    static func checkContainerName(_ name: String) throws(SwiftError) {
        guard name.utf8.count <= containerNameMax else {
            throw SwiftError(400, "Container name length of \(name.utf8.count) longer than \(containerNameMax)")
        }
    }

    static func checkObjectName(_ name: [UInt8]) throws(SwiftError) {
        guard name.count <= Limits.keySizeMax else {
            throw SwiftError(400, "Object name length of \(name.count) longer than \(Limits.keySizeMax)")
        }
    }

    /// By a signature, a token, or nothing. What is no good is never anonymous.
    private func caller(_ call: SwiftCall, _ trace: SwiftTrace) async throws -> SwiftCaller {
        let request = call.request
        if TemporaryAddress.isSigned(request) {
            guard let grant = TemporaryAddress.grant(call, now: clock() / 1000) else {
                throw SwiftError(
                    401, "401 Unauthorized: Temp URL invalid\n",
                    headers: SwiftAuthorization.unauthorized(call.account).headers)
            }
            return .bearer(grant)
        }
        guard let text = request.header("x-auth-token") ?? request.header("x-storage-token") else { return .anonymous }
        do {
            let credentials = try await tokens.identify(text)
            trace.note(user: credentials.user.id)
            guard settings.isServiceAccount(call.account) else { return .user(credentials) }
            return try await tokens.composite(
                .user(credentials), serviceToken: request.header("x-service-token"),
                servicePrefix: settings.servicePrefix)
        } catch is Unauthorized {
            throw SwiftAuthorization.unauthorized(call.account)
        }
    }

    /// Finds project and container.
    private func locate(_ call: inout SwiftCall) async throws {
        call.project = project(ofAccount: call.account)
        guard let project = call.project, let name = call.containerName else { return }
        call.container = await container(name, of: project)
    }

    func project(ofAccount account: String) -> ProjectRecord? {
        if settings.isServiceAccount(account) { return tokens.view.projects[account] }
        guard account.hasPrefix(settings.accountPrefix) else { return nil }
        let id = String(account.dropFirst(settings.accountPrefix.count))
        // The account of a service has its own name only.
        return settings.isServiceAccount(id) ? nil : tokens.view.projects[id]
    }

    /// A container that another gateway has just made is found too.
    func container(_ name: String, of project: ProjectRecord) async -> BucketRecord? {
        await s3.buckets.container(name, project: project.id)
    }

    /// The call as the operations that both fronts share see it.
    func shared(
        _ call: SwiftCall, _ bucket: BucketRecord, key: [UInt8], _ operation: S3Operation = .putObject,
        version: String? = nil
    ) throws -> S3Call {
        guard let id = bucket.bucketID else { throw SwiftError(500) }
        let request = S3Request(
            id: call.request.id, method: .PUT, operation: operation, bucket: bucket.name,
            key: String(decoding: key, as: UTF8.self),
            query: S3Query(version.map { [.init("versionId", $0.isEmpty ? "null" : $0)] } ?? []),
            identity: tokens.view.user(id: bucket.owner).map(Identity.user) ?? .anonymous, body: call.request.body)
        return S3Call(
            request: request, bucket: bucket, bucketID: id, context: call.context, rules: try s3.rules(of: bucket),
            now: s3.clock(), dependsOnObject: false)
    }
}
