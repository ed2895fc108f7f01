import Linearizability
import Model
import Register
import TestKit

/// What makes a record harmful that is copied undecided, made on purpose in some runs: a writer dies when only one replica
/// has its record, under a ballot far above all others; that replica is away while all replicas change, so that nobody who
/// decides afterwards knows of the ballot; then it returns.
final class LoneRecord {
    private static let address = 120
    /// How far its ballot is above what others use.
    private static let lead: UInt64 = 40

    private unowned let simulation: RingChangeSimulation
    private let writer: RingClient
    let holder: NodeName
    /// The replica is away, and its set may change.
    private(set) var isLeft = false
    /// Its one operation, of which nobody knows what became.
    private(set) var history: [HistoryOperation] = []

    init(simulation: RingChangeSimulation) {
        self.simulation = simulation
        holder = simulation.random.pick(simulation.table.partitions[0].current)
        writer = RingClient(writer: UInt64(Self.address), operations: 0, simulation: simulation)
    }

    func start() { simulation.scheduler.after(simulation.random.number(5_000..<40_000)) { [self] in write() } }

    private func write() {
        writer.clock.observe((simulation.replica(holder).index[0]?.tag.counter ?? 0) + Self.lead)
        let operation = simulation.newOperation()
        history = [
            HistoryOperation(
                client: Self.address, key: "0", kind: .put, value: "\(operation)",
                call: Int64(simulation.scheduler.step))
        ]
        RingWrite(client: writer, key: 0, onlyTo: holder) { [simulation] current in
            let operations = simulation.purged.operations(current, of: 0) + [operation]
            return .write(SimulatedRecord(value: operation, operations: operations))
        } end: { _ in
        }.start()
        // Long enough for a stage, a commit and a sync.
        simulation.scheduler.after(4_000 + simulation.syncMax) { [self] in
            simulation.replica(holder).crash(downFor: 60_000)
            isLeft = true
        }
    }

    /// The plan after which nobody is left who has promised anything to the writer; nil: some other plan.
    func target(ofPlan number: UInt64) -> [NodeName]? {
        switch number {
        case 1: (4...6).map(RingChangeSimulation.name)
        case 2: [holder] + (4...5).map(RingChangeSimulation.name)
        default: nil
        }
    }
}
