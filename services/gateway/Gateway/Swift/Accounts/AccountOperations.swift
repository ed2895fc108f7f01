import ClusterState
import Model
import NIOCore
import NIOHTTP1
import S3Protocol
import Wire

/// Operations on accounts.
extension SwiftOperations {
    static let policy = "default"
    /// What sets the quotas of an account; the name with `meta` is the older one. With one policy its quota is the account's.
    static let accountQuotas = (
        bytes: ["x-account-meta-quota-bytes", "x-account-quota-bytes", "x-account-quota-bytes-policy-\(policy)"],
        count: ["x-account-meta-quota-count", "x-account-quota-count", "x-account-quota-count-policy-\(policy)"]
    )
    /// How long an answer waits for the counts of all containers.
    private static let countPatience: Duration = .seconds(3)

    func getAccount(_ call: SwiftCall) async throws -> S3Response {
        let project = try call.requiredProject()
        let containers = tokens.view.containers(project: project.id).filter { $0.state == .bucketActive }
        var usages: [String: ContainerUsage.Count] = [:]
        let deadline = ContinuousClock.now + Self.countPatience
        for container in containers {
            usages[container.name] = await usage.count(
                of: container, patience: deadline - .now, call.context)
        }
        var headers = accountHeaders(call, project, containers.count, Array(usages.values))
        guard call.operation == .getAccount else {
            headers.add(name: "Content-Type", value: "text/plain; charset=utf-8")
            return S3Response(status: .noContent, headers: headers)
        }
        let query = try ListingQuery(call.request)
        let names = query.page(of: containers.map { (Array($0.containerName.utf8), $0) })
        let listing = names.map { entry -> ListedContainer in
            switch entry {
            case .subdirectory(let name): return .subdirectory(name)
            case .entry(let name, let container):
                return .container(
                    name, usages[container.name] ?? .init(), createdMilliseconds: container.createdMilliseconds)
            }
        }
        return query.format.response(accountName: call.account, listing, headers: headers)
    }

    private func accountHeaders(
        _ call: SwiftCall, _ project: ProjectRecord, _ containers: Int, _ usages: [ContainerUsage.Count]
    ) -> HTTPHeaders {
        let objects = usages.reduce(0) { $0 + $1.objects }
        let bytes = usages.reduce(0) { $0 + $1.bytes }
        var headers = HTTPHeaders()
        for name in ["", "Storage-Policy-\(SwiftHeaders.titled(Self.policy))-"] {
            headers.add(name: "X-Account-\(name)Container-Count", value: String(containers))
            headers.add(name: "X-Account-\(name)Object-Count", value: String(objects))
            headers.add(name: "X-Account-\(name)Bytes-Used", value: String(bytes))
        }
        headers.add(name: "X-Timestamp", value: SwiftHeaders.timestamp(project.createdMilliseconds))
        headers.add(name: "Accept-Ranges", value: "bytes")
        Self.show(project.headers, to: call, in: &headers)
        return headers
    }

    /// Keys and lists are shown to owners only.
    static func show(_ stored: [SwiftHeader], to call: SwiftCall, in headers: inout HTTPHeaders) {
        for header in stored where header.name != deletedHeader && (call.isOwner || !isPrivate(header.name)) {
            headers.add(name: SwiftHeaders.titled(header.name), value: header.value)
        }
    }

    private static func isPrivate(_ name: String) -> Bool {
        name.contains("-meta-temp-url-key") || name == "x-container-read" || name == "x-container-write"
            || name == "x-account-access-control" || name == "x-container-sync-key"
    }

    /// POST, and PUT of an account that exists. Accounts are made with their projects, by `martlet-adm`.
    func changeAccount(_ call: SwiftCall) async throws -> S3Response {
        let project = try call.requiredProject()
        var headers = try SwiftHeaders.changes(
            call.request.headers, kind: "account",
            others: ["x-account-access-control"] + Self.accountQuotas.bytes + Self.accountQuotas.count)
        let list = headers.first { $0.name == "x-account-access-control" }?.value ?? ""
        guard list.isEmpty || list == "{}" || AccountAccessList(list) != nil else {
            throw SwiftError(400, "X-Account-Access-Control invalid")
        }
        let quotas = headers.filter { (Self.accountQuotas.bytes + Self.accountQuotas.count).contains($0.name) }
        guard quotas.isEmpty || call.caller.credentials?.isReseller == true else { throw SwiftError.forbidden }
        for quota in quotas where !quota.value.isEmpty && UInt64(quota.value) == nil {
            throw SwiftError(400, "Invalid quota.")
        }
        try SwiftHeaders.checkMerged(project.headers, headers, kind: "account")
        let isRevived = project.headers[Self.deletedHeader] != nil
        if isRevived { headers.append(SwiftHeader(name: Self.deletedHeader, value: "")) }
        if !headers.isEmpty {
            try await changes.changeAccount(
                ChangeAccountRequest(project: project.id, headers: headers), context: call.context)
        }
        return S3Response(
            status: isRevived ? .created : call.operation == .putAccount ? .accepted : .noContent)
    }
}
