import MessageBus
import Model
import Register
import Ring
import Wire

/// Lists keys: an ordered merge over the indexes of the storage nodes.
public final class Lister: Sendable {
    let registers: RegisterClient
    var environment: AccessEnvironment { registers.environment }

    public init(_ registers: RegisterClient) { self.registers = registers }

    /// One page. Every key that was decided before the call, and not deleted, is on its page.
    public func list(_ query: ListQuery, context: MessageContext = .init()) async throws(AccessError) -> ListPage {
        throw .notReady("listing is not built yet")
    }
}
