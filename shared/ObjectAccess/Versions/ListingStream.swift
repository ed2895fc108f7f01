import MessageBus
import Model
import Wire

/// Entries of a listing one after the other, fetched a page at a time.
struct ListingStream {
    private let storage: any RegisterStoring
    private let context: MessageContext
    private var query: ListQuery
    private var buffer: ArraySlice<(key: [UInt8], summary: ListingSummary)> = []
    private var isAtEnd = false
    /// Pages that were fetched so far.
    private(set) var pages = 0

    init(_ storage: any RegisterStoring, _ query: ListQuery, _ context: MessageContext) {
        self.storage = storage
        self.query = query
        self.context = context
    }

    /// The next entry, which stays the next one; nil at the end.
    mutating func peek() async throws -> (key: [UInt8], summary: ListingSummary)? {
        while buffer.isEmpty, !isAtEnd {
            let page = try await storage.list(query, context: context)
            pages += 1
            var entries: [(key: [UInt8], summary: ListingSummary)] = []
            for case .key(let key, let summary, _) in page.entries {
                entries.append((key, try ListingSummary(decoding: summary)))
            }
            buffer = entries[...]
            isAtEnd = !page.truncated || page.next == nil
            if let next = page.next, page.truncated { query.after = next }
        }
        return buffer.first
    }

    mutating func pop() { buffer.removeFirst() }

    /// Passes over everything that begins with this.
    mutating func skip(_ prefix: [UInt8]) {
        while let first = buffer.first, first.key.starts(with: prefix) { buffer.removeFirst() }
        guard buffer.isEmpty, let after = query.after, after.key.starts(with: prefix) else { return }
        query.after = ListPosition(key: prefix, isPrefix: true)
    }

    /// Forgets what was fetched and goes on behind this.
    mutating func restart(after position: ListPosition?) {
        buffer = []
        isAtEnd = false
        query.after = position
    }
}
