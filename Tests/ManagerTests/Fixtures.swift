import ClusterState
import ClusterStore
import Logging
import Model
import Wire

@testable import Manager

/// A cluster in an in-memory store, with what verbs need besides it.
struct Fixture: Sendable {
    let cluster: ManagedCluster
    let masterKey = MasterKey(bytes: [UInt8](repeating: 5, count: 32))!
    var now: Int64 = 1_575_535_012_000
    /// What the failure detector says.
    var liveness: [NodeName: Liveness] = [:]

    init(replicas: Int = 3) async throws {
        let store = try SQLiteClusterStore(path: ":memory:")
        cluster = try await ManagedCluster.load(
            store, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let plan = BirthPlan(
            level: .majority(of: replicas), partitions: 16, dataCenter: "dc_1",
            manager: MemberRecord(name: "manager", role: .manager, address: "tcp://m:1", publicKey: key(200)),
            adminKey: key(201))
        let context = context
        try await cluster.change { state, edit in try ClusterBirth.ensure(plan, state, &edit, context) }
    }

    var context: VerbContext {
        VerbContext(
            now: now, masterKey: masterKey, version: "0.1.0", managerName: "manager", managerKey: key(200),
            bucketsPerUserMax: 3, liveness: liveness)
    }

    var view: ClusterView { cluster.view }

    func key(_ number: UInt8) -> [UInt8] { [UInt8](repeating: number, count: 32) }

    @discardableResult
    func run<Report: Decodable>(_ verb: String, _ arguments: String..., as type: Report.Type = DoneReport.self)
        async throws -> Report
    {
        try ReportCoding.decode(type, from: try await json(verb, arguments))
    }

    func json(_ verb: String, _ arguments: [String]) async throws -> [UInt8] {
        let context = context
        return try await cluster.change { state, edit in
            guard let stateVerb = StateVerb.all[verb] else { throw VerbError(.unknownType, verb) }
            let call = VerbCall(arguments: arguments, state: state, context: context)
            return try ReportCoding.encode(stateVerb.run(call, &edit))
        }
    }

    func enrol(_ request: EnrolRequest) async throws -> EnrolReply {
        let context = context
        return try await cluster.change { state, edit in try EnrolmentDesk.enrol(request, state, &edit, context) }
    }

    func announce(_ request: EnrolRequest, from sender: NodeName) async throws -> EnrolReply {
        let context = context
        return try await cluster.change { state, edit in
            try EnrolmentDesk.announce(request, from: sender, state, &edit, context)
        }
    }

    func change(_ request: ChangeBucketRequest) async throws -> ChangeBucketReply {
        let context = context
        return try await cluster.change { state, edit in
            try BucketChanges.apply(request, state, &edit, context)
        }
    }

    func token(_ options: String...) async throws -> JoinToken {
        let report = try ReportCoding.decode(TokenReport.self, from: try await json("create-token", options))
        return JoinToken(report.token)!
    }

    /// A request that proves that it holds the token.
    func request(_ name: String, _ role: MemberRole = .storage, key number: UInt8, _ token: JoinToken) -> EnrolRequest {
        EnrolRequest(
            tokenId: token.id,
            tokenProof: JoinToken.proof(secret: token.secret, name: name, role: role, publicKey: key(number)),
            name: name, role: role, publicKey: key(number), address: "tcp://\(name):1", publisher: "tcp://\(name):2",
            version: "0.1.0")
    }

    /// Storage nodes that are attached.
    func attach(_ count: Int) async throws {
        let token = try await token("reusable")
        for number in 1...count {
            _ = try await enrol(request("storage-\(number)", key: UInt8(number), token))
        }
    }
}
