import MessageBus
import Model
import ObjectAccess
import Register
import Synchronization
import TestKit
import Wire

/// Registers in one dictionary. Every step of every client waits for its turn, and a seed says whose it is, and who dies
/// before it.
final class ScheduledRegisters: RegisterStoring {
    struct Crash: Error {}

    private struct State {
        var registers: [RegisterName: RegisterState<StoredRecord>] = [:]
        var waiting: [CheckedContinuation<Bool, Never>] = []
        /// Clients that are between two steps.
        var running = 0
        var generator: SeededGenerator
        var crashPerMille: Int
    }

    private let state: Mutex<State>
    /// Told of each write, with all registers before and after it.
    private let onWrite:
        @Sendable (
            RegisterName, [RegisterName: RegisterState<StoredRecord>], [RegisterName: RegisterState<StoredRecord>]
        )
            -> Void

    init(
        seed: UInt64, crashPerMille: Int,
        onWrite:
            @escaping @Sendable (
                RegisterName, [RegisterName: RegisterState<StoredRecord>], [RegisterName: RegisterState<StoredRecord>]
            ) -> Void
    ) {
        state = Mutex(State(generator: SeededGenerator(seed: seed), crashPerMille: crashPerMille))
        self.onWrite = onWrite
    }

    convenience init(seed: UInt64, crashPerMille: Int, copying other: ScheduledRegisters) {
        self.init(seed: seed, crashPerMille: crashPerMille) { _, _, _ in }
        let registers = other.registers
        state.withLock { $0.registers = registers }
    }

    var registers: [RegisterName: RegisterState<StoredRecord>] { state.withLock { $0.registers } }

    /// Runs the clients to their ends; what they throw ends them alone.
    func run(_ clients: [@Sendable () async throws -> Void]) async {
        state.withLock { $0.running = clients.count }
        await withTaskGroup(of: Void.self) { group in
            for client in clients {
                group.addTask {
                    try? await client()
                    self.leave()
                }
            }
        }
    }

    private func leave() {
        let next = state.withLock { state in
            state.running -= 1
            return Self.next(&state)
        }
        next?()
    }

    /// Waits for a turn; throws when this client dies here.
    private func turn() async throws {
        let lives = await withCheckedContinuation { continuation in
            let next = state.withLock { state in
                state.waiting.append(continuation)
                state.running -= 1
                return Self.next(&state)
            }
            next?()
        }
        if !lives { throw Crash() }
    }

    /// When everybody waits, one of them goes on.
    private static func next(_ state: inout State) -> (() -> Void)? {
        guard state.running == 0, !state.waiting.isEmpty else { return nil }
        let index = Int.random(in: 0..<state.waiting.count, using: &state.generator)
        let continuation = state.waiting.remove(at: index)
        let lives = Int.random(in: 0..<1000, using: &state.generator) >= state.crashPerMille
        state.running += 1
        return { continuation.resume(returning: lives) }
    }

    // MARK: - Registers

    func read(_ name: RegisterName, withBlob: Bool, context: MessageContext) async throws -> RegisterSnapshot {
        try await turn()
        return RegisterSnapshot(state: state.withLock { $0.registers[name] })
    }

    func update(
        _ name: RegisterName, deleting: Bool, staged: StagedBlob?, operation: OperationID, context: MessageContext,
        change: @escaping @Sendable (RegisterState<StoredRecord>?) -> Change
    ) async throws -> RegisterState<StoredRecord>? {
        try await turn()
        return try state.withLock { state in
            let present = state.registers[name]
            switch change(present) {
            case .keep, .confirm: return present
            case .refuse(let error): throw AccessError.refused(error)
            case .write(let record):
                let before = state.registers
                state.registers[name] = .successor(
                    of: present, writing: record, operation: operation,
                    ballot: Ballot(counter: (present?.tag.counter ?? 0) + 1, writer: 1))
                onWrite(name, before, state.registers)
                return state.registers[name]
            }
        }
    }

    func list(_ query: ListQuery, context: MessageContext) async throws -> ListPage {
        try await turn()
        let registers = state.withLock { $0.registers }
        let found = registers.keys.sorted().first { name in
            guard name.bucket == query.bucket, name.keyspace == query.keyspace, registers[name]?.isLive == true else {
                return false
            }
            return name.key.starts(with: query.prefix) && query.after?.covers(name.key) != true
        }
        // Pages of one entry: they must be put together.
        guard let found else { return ListPage() }
        let entry = ListedEntry.key(found.key, summary: [], record: registers[found]?.record?.bytes)
        return ListPage(entries: [entry], truncated: true, next: ListPosition(key: found.key))
    }
}
