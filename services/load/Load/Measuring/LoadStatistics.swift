import Synchronization

/// What one kind of operation did.
struct OperationStatistics: Sendable {
    var latencies = LatencyHistogram()
    var bytes: UInt64 = 0
    /// Attempts beyond the first.
    var retries = 0
    /// Given up after all retries.
    var errors = 0
    /// GET, HEAD: no such key.
    var notFound = 0
    /// Bytes that are not those of the version that the answer claims to be.
    var wrong = 0

    mutating func merge(_ other: OperationStatistics) {
        latencies.merge(other.latencies)
        bytes += other.bytes
        retries += other.retries
        errors += other.errors
        notFound += other.notFound
        wrong += other.wrong
    }
}

/// The counts of all workers, and the first faults in words.
final class LoadStatistics: Sendable {
    static let faultsKept = 20

    private struct State {
        var operations: [LoadOperation: OperationStatistics] = [:]
        var faults: [String] = []
    }

    private let state = Mutex(State())

    func record(_ operation: LoadOperation, _ change: (inout OperationStatistics) -> Void) {
        state.withLock { change(&$0.operations[operation, default: OperationStatistics()]) }
    }

    /// Keeps the first few.
    func note(fault: String) {
        state.withLock { if $0.faults.count < Self.faultsKept { $0.faults.append(fault) } }
    }

    var operations: [LoadOperation: OperationStatistics] { state.withLock { $0.operations } }
    var faults: [String] { state.withLock { $0.faults } }

    var total: OperationStatistics {
        operations.values.reduce(into: OperationStatistics()) { $0.merge($1) }
    }
}
