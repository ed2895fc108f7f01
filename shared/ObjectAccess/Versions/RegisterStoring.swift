import MessageBus
import Model
import Register

/// Registers and listings, as versions need them: of a cluster, or of a fake.
public protocol RegisterStoring: Sendable {
    func read(_ name: Model.RegisterName, withBlob: Bool, context: MessageContext) async throws -> RegisterSnapshot

    /// Returns the decided state. See ``RegisterClient/update(_:deleting:staged:operation:context:change:)``.
    func update(
        _ name: Model.RegisterName, deleting: Bool, staged: StagedBlob?, operation: OperationID,
        context: MessageContext, change: @escaping @Sendable (RegisterState<StoredRecord>?) -> Change
    ) async throws -> RegisterState<StoredRecord>?

    func list(_ query: ListQuery, context: MessageContext) async throws -> ListPage
}

/// Those of the storage nodes.
public struct ClusterRegisters: RegisterStoring {
    private let registers: RegisterClient
    private let lister: Lister

    public init(_ registers: RegisterClient) {
        self.registers = registers
        lister = Lister(registers)
    }

    public func read(
        _ name: Model.RegisterName, withBlob: Bool, context: MessageContext
    ) async throws -> RegisterSnapshot {
        try await registers.read(name, withBlob: withBlob, context: context)
    }

    public func update(
        _ name: Model.RegisterName, deleting: Bool, staged: StagedBlob?, operation: OperationID,
        context: MessageContext, change: @escaping @Sendable (RegisterState<StoredRecord>?) -> Change
    ) async throws -> RegisterState<StoredRecord>? {
        try await registers.update(
            name, deleting: deleting, staged: staged, operation: operation, context: context, change: change
        ).state
    }

    public func list(_ query: ListQuery, context: MessageContext) async throws -> ListPage {
        try await lister.list(query, context: context)
    }
}
