import NIOHTTP1
import Wire

/// DELETE of accounts, by resellers; PUT brings one back.
extension SwiftOperations {
    /// Of the account's record, for us alone: clients cannot set or see it.
    static let deletedHeader = "x-account-sysmeta-deleted"

    /// A deleted account is 410 for everybody, until a reseller puts it again.
    static func checkAccountExists(_ call: SwiftCall) throws(SwiftError) {
        guard call.project?.headers[deletedHeader] != nil, call.operation != .putAccount else { return }
        throw SwiftError(410, headers: ["X-Account-Status": "Deleted"])
    }

    /// Only of an account without containers: nobody would delete them later on. What is said about it goes.
    func deleteAccount(_ call: SwiftCall) async throws -> S3Response {
        let project = try call.requiredProject()
        guard tokens.view.containers(project: project.id).isEmpty else {
            throw SwiftError(409, "The account has containers.")
        }
        let cleared = project.headers.map { SwiftHeader(name: $0.name, value: "") }
        let mark = SwiftHeader(name: Self.deletedHeader, value: SwiftHeaders.timestamp(clock()))
        try await changes.changeAccount(
            ChangeAccountRequest(project: project.id, headers: cleared + [mark]), context: call.context)
        return S3Response(status: .noContent)
    }
}
