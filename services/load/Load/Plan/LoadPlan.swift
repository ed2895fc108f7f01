/// What one request does.
enum LoadOperation: String, Sendable, CaseIterable {
    case put, get, head, delete, list
    /// A put in parts.
    case multipart
    /// A question of the bus to a storage node that costs it nothing but the answer.
    case ping

    var writesContent: Bool { self == .put || self == .multipart }
}

/// One operation, chosen.
struct PlannedOperation: Sendable, Equatable {
    var operation: LoadOperation
    /// Of a listing, the prefix.
    var key: String
    /// Of the content that is put; nil: the plan's sizes are drawn from.
    var size: Int?
    /// What the first attempt writes, when that was decided before the run.
    var version: ObjectVersion?
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
    /// The first operations of the run, one by one.
    var script: LoadScript?

    static func newRun() -> String { String(UInt64.random(in: 0 ... .max), radix: 36) }

    /// The operation of a turn.
    func operation(turn: Int, _ random: inout SeededRandom) -> PlannedOperation {
        if let script, turn < script.operations.count { return script.operations[turn] }
        let operation = draw(&random)
        let key = keys.key(keys.index(turn: turn, &random))
        return PlannedOperation(operation: operation, key: operation == .list ? keys.prefix : key)
    }

    /// With its first operations chosen now, to be signed before the run.
    func choosing(_ count: Int) -> LoadPlan {
        var plan = self
        var random = SeededRandom(seed: seed)
        let operations = (0..<min(count, self.count ?? .max)).map { turn in
            var planned = operation(turn: turn, &random)
            guard planned.operation == .put else { return planned }
            let size = sizes.size(&random)
            planned.version = ObjectVersion(run: run, client: LoadScript.client, number: turn, size: size)
            return planned
        }
        plan.script = LoadScript(operations: operations, endsRun: false, isSignedAhead: true)
        return plan
    }

    /// Draws the next operation.
    func draw(_ random: inout SeededRandom) -> LoadOperation {
        guard mix.count > 1 else { return mix[0].operation }
        var rest = Int.random(in: 0..<mix.reduce(0) { $0 + $1.weight }, using: &random)
        for (operation, weight) in mix {
            if rest < weight { return operation }
            rest -= weight
        }
        return mix[0].operation
    }

    /// A run that puts every key once.
    func preparing() -> LoadPlan {
        var plan = self
        plan.mix = [(.put, 1)]
        plan.keys = KeyChoice(prefix: keys.prefix, count: keys.count, distribution: .sequential)
        plan.count = keys.count
        plan.seconds = nil
        plan.rate = nil
        plan.run += "p"
        plan.script = nil
        return plan
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

/// Operations that are known before the run.
struct LoadScript: Sendable, Equatable {
    /// The number of the client in the versions that are chosen before the run.
    static let client = 1_000_000

    var operations: [PlannedOperation]
    /// When each is due, in nanoseconds after the begin, in order; nil: as soon as a client is free.
    var due: [Int64]?
    /// Otherwise the rest of the run is drawn.
    var endsRun = true
    var isSignedAhead = false
}
