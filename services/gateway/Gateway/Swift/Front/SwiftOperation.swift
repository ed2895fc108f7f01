/// Every operation of the object store's API.
enum SwiftOperation: String, Sendable, CaseIterable {
    case getAccount, headAccount, putAccount, postAccount, deleteAccount, optionsAccount
    case getContainer, headContainer, putContainer, postContainer, deleteContainer, optionsContainer
    case getObject, headObject, putObject, postObject, deleteObject, copyObject, optionsObject
    /// Deletes what the body names, each with its own rights.
    case bulkDelete
    /// Unpacks an archive into containers, each with its own rights.
    case bulkUpload
    /// Files by a signed form, whose signature is looked at when it has been read.
    case formPost

    enum Level: Sendable {
        case account, container, object

        var methods: [(method: String, operation: SwiftOperation)] {
            switch self {
            case .account:
                [
                    ("GET", .getAccount), ("HEAD", .headAccount), ("PUT", .putAccount), ("POST", .postAccount),
                    ("DELETE", .deleteAccount), ("OPTIONS", .optionsAccount),
                ]
            case .container:
                [
                    ("GET", .getContainer), ("HEAD", .headContainer), ("PUT", .putContainer),
                    ("POST", .postContainer), ("DELETE", .deleteContainer), ("OPTIONS", .optionsContainer),
                ]
            case .object:
                [
                    ("GET", .getObject), ("HEAD", .headObject), ("PUT", .putObject), ("POST", .postObject),
                    ("DELETE", .deleteObject), ("COPY", .copyObject), ("OPTIONS", .optionsObject),
                ]
            }
        }

        /// For the header `Allow`.
        var allow: String { methods.map(\.method).joined(separator: ", ") }
    }

    init(_ request: SwiftRequest, _ level: Level) throws(SwiftError) {
        if request.query["bulk-delete"] != nil, ["POST", "DELETE"].contains(request.method) {
            self = .bulkDelete
        } else if request.query["extract-archive"] != nil, request.method == "PUT" {
            self = .bulkUpload
        } else if level != .account, SwiftOperations.isForm(request) {
            self = .formPost
        } else if let found = level.methods.first(where: { $0.method == request.method }) {
            self = found.operation
        } else {
            throw SwiftError(405, headers: ["Allow": level.allow])
        }
    }

    /// What somebody must be allowed to do: the one table of operation to permission.
    var permission: SwiftPermission {
        switch self {
        case .getAccount, .headAccount: .readAccount
        case .postAccount: .changeAccount
        case .putAccount, .deleteAccount: .manageAccount
        case .getContainer, .headContainer: .readContainer
        case .putContainer, .postContainer, .deleteContainer: .changeContainer
        case .getObject, .headObject: .readObject
        case .putObject, .postObject, .deleteObject: .writeObject
        // Of the source; the destination is asked for itself.
        case .copyObject: .readObject
        // Each name that the body has is asked for itself.
        case .bulkDelete, .bulkUpload, .formPost: .none
        case .optionsAccount, .optionsContainer, .optionsObject: .none
        }
    }
}

enum SwiftPermission: Sendable, CaseIterable {
    case none
    case readAccount
    case changeAccount
    /// Accounts are made and deleted by resellers.
    case manageAccount
    /// The listing and the headers.
    case readContainer
    case changeContainer
    case readObject
    case writeObject
}
