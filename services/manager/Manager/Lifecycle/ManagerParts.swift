import ClusterState
import Logging
import MessageBus
import Model
import ObjectAccess
import Observability
import ProcessRuntime

/// What a running manager consists of.
struct ManagerParts: Sendable {
    let cluster: ManagedCluster
    let bus: MessageBus
    let watch: MemberWatch
    let leadership: Leadership
    let nodes: NodeVerbs
    let deletion: BucketDeletion
    let export = StateExport()
    let ring: RingLeader
    let commands: CommonCommands
    let durability: DurabilityAssumptions
    /// How long a node must have been dead until others get its replicas; nil: that is left to the operator.
    let deadNodeWait: Duration?
    /// What verbs need, as of now.
    let context: @Sendable () -> VerbContext

    /// - Parameter base: The context's constant part.
    init(
        cluster: ManagedCluster, bus: MessageBus, watch: MemberWatch, leadership: Leadership, base: VerbContext,
        directory: String, logger: Logger, metrics: MetricsRegistry,
        durability: DurabilityAssumptions = DurabilityAssumptions(), deadNodeWait: Duration? = nil
    ) {
        let context: @Sendable () -> VerbContext = {
            var context = base
            context.now = wallMilliseconds()
            context.liveness = watch.liveness
            return context
        }
        let writer = cluster.view.members[base.managerName]?.writer ?? 0
        let registers = RegisterClient(bus: bus, cluster: cluster, writer: writer, logger: logger, metrics: metrics)
        self.cluster = cluster
        self.bus = bus
        self.watch = watch
        self.leadership = leadership
        self.context = context
        self.durability = durability
        PartitionMetrics.register(in: metrics, cluster, watch)
        self.deadNodeWait = deadNodeWait
        ring = RingLeader(
            cluster: cluster, bus: bus, leadership: leadership, logger: logger, metrics: metrics,
            deadNodeWait: deadNodeWait, liveness: { watch.liveness })
        nodes = NodeVerbs(bus: bus, cluster: cluster)
        deletion = BucketDeletion(cluster: cluster, watch: watch, lister: Lister(registers), context: context)
        commands = CommonCommands(
            .init(
                name: base.managerName, role: .manager, logger: logger, bus: bus, cluster: cluster,
                dataDirectory: directory))
    }
}
