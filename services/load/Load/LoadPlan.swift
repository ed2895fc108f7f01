/// What one request does.
enum LoadOperation: String, Sendable, CaseIterable {
    case put, get, head, delete, list
    /// A put in parts.
    case multipart

    var writesContent: Bool { self == .put || self == .multipart }
}

/// What a run does, checked. Without anything about the connection.
struct LoadPlan: Sendable {
    /// Shares of the operations in a hundred.
    var mix: [(operation: LoadOperation, weight: Int)]
    var bucket: String
    var keys: KeyChoice
    var sizes: SizeChoice
    var partSize: Int
    var concurrency: Int
    /// The run ends after so many operations or so many seconds, whatever comes first; nil: no such bound.
    var count: Int?
    var seconds: Double?
    /// Operations a second of all workers together; nil: as fast as they can.
    var rate: Double?
    var retries: Int
    var seed: UInt64
    var listKeys: Int
    /// What is read is compared with what was written.
    var checks = true
    /// Names this run in the versions that it writes.
    var run: String

    /// Draws the next operation.
    func operation(_ random: inout SeededRandom) -> LoadOperation {
        guard mix.count > 1 else { return mix[0].operation }
        var rest = Int.random(in: 0..<mix.reduce(0) { $0 + $1.weight }, using: &random)
        for (operation, weight) in mix {
            if rest < weight { return operation }
            rest -= weight
        }
        return mix[0].operation
    }

    /// `mixed`, one operation's name, or shares such as `put=30,get=60,delete=10`; nil when it is none of these.
    static func mix(_ text: String) -> [(operation: LoadOperation, weight: Int)]? {
        if let one = LoadOperation(rawValue: text) { return [(one, 1)] }
        if text == "mixed" { return [(.put, 30), (.get, 50), (.head, 10), (.delete, 9), (.list, 1)] }
        let shares = text.split(separator: ",").map { share -> (operation: LoadOperation, weight: Int)? in
            let parts = share.split(separator: "=")
            guard parts.count == 2, let operation = LoadOperation(rawValue: String(parts[0])),
                let weight = Int(parts[1]), (1...1_000_000).contains(weight)
            else { return nil }
            return (operation, weight)
        }
        return shares.isEmpty || shares.contains { $0 == nil } ? nil : shares.compactMap { $0 }
    }
}
