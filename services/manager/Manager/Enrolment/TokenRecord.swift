import ClusterState
import Foundation
import Model

/// A join token as the managers keep it: its secret is sealed.
struct TokenRecord: Codable, Sendable, Equatable {
    var id: String
    var sealedSecret: [UInt8]
    var expiresMilliseconds: Int64
    /// For one process only, which may repeat its request until the token expires.
    var oneTime: Bool
    var usedBy: String?
    /// Only this name may enrol with it.
    var name: String?
    /// A known name may come with a new key.
    var mayReplace: Bool

    init(decoding value: [UInt8]) throws { self = try JSONDecoder().decode(TokenRecord.self, from: Data(value)) }

    init(
        id: String, sealedSecret: [UInt8], expiresMilliseconds: Int64, oneTime: Bool, name: String? = nil,
        mayReplace: Bool = false
    ) {
        self.id = id
        self.sealedSecret = sealedSecret
        self.expiresMilliseconds = expiresMilliseconds
        self.oneTime = oneTime
        self.name = name
        self.mayReplace = mayReplace
    }

    func encoded() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        guard let data = try? encoder.encode(self) else { preconditionFailure("a token record is always JSON") }
        return Array(data)
    }
}
