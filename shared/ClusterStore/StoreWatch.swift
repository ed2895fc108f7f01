/// The changes of a range, batch after batch. Each batch holds whole revisions, in order.
///
/// Pulled by its reader: a slow reader costs no memory.
public struct StoreWatch: AsyncSequence, Sendable {
    public typealias Element = [StoreChange]
    public typealias Failure = StoreError

    private let makeNext: @Sendable () -> @Sendable () async throws(StoreError) -> [StoreChange]?

    /// - Parameter next: makes the function that answers the next batch, or nil when the store was closed.
    public init(_ next: @escaping @Sendable () -> @Sendable () async throws(StoreError) -> [StoreChange]?) {
        makeNext = next
    }

    public struct Iterator: AsyncIteratorProtocol {
        let nextBatch: @Sendable () async throws(StoreError) -> [StoreChange]?

        public mutating func next() async throws(StoreError) -> [StoreChange]? { try await nextBatch() }

        public mutating func next(isolation: isolated (any Actor)?) async throws(StoreError) -> [StoreChange]? {
            try await nextBatch()
        }
    }

    public func makeAsyncIterator() -> Iterator { Iterator(nextBatch: makeNext()) }
}
