import ClusterState
import Configuration
import Logging
import MessageBus
import Model
import Observability
import Wire

/// What makes a process the one that it is; the rest of its life is the same for all and stands in ``runProcess``.
public protocol ProcessService: Sendable {
    /// Called once, when bus and cluster state are up. The process is ready for traffic after it returns.
    func start() async throws
    /// Requests of the bus other than the common ones. Called on a bus thread: must not block.
    func handle(_ request: IncomingRequest, _ responder: Responder)
    /// A verb about this process; the result is JSON. nil: the common verbs answer. For `status` the fields are added to
    /// the common ones.
    func command(_ verb: String, _ arguments: [String]) async throws -> [UInt8]?
    /// Named checks for /health/ready; all must hold.
    func readiness() async -> [String: Bool]
    /// Finishes or fails what is in flight, within a bounded time.
    func stop() async
}

/// What a service gets to work with.
public struct ProcessContext: Sendable {
    public var configuration: Configuration
    public var name: NodeName
    public var role: MemberRole
    public var logger: Logger
    public var metrics: MetricsRegistry
    public var bus: MessageBus
    public var cluster: ClusterStateMirror
    /// The writer id of this process's ballots: unique in the cluster.
    public var writer: UInt64
    public var dataDirectory: String
    /// Opens sealed secrets; only processes that authenticate clients have it.
    public var masterKey: [UInt8]?
}
