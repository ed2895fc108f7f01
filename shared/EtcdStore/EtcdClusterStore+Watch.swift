import ClusterStore
import Foundation
import Synchronization

extension EtcdClusterStore {
    public func watch(_ range: KeyRange, after revision: UInt64) -> StoreWatch {
        StoreWatch { [self] in
            let reader = EtcdWatchReader(self, range, after: revision)
            return { () async throws(StoreError) in try await reader.next() }
        }
    }

    /// Opens a watch; closing the store ends it.
    func openWatch(_ range: KeyRange, after revision: UInt64, turn: Int) async throws -> EtcdStream {
        guard let bounds = keys.bounds(range) else { throw StoreError.unavailable("an empty range has no changes") }
        // Changes from before the state came here cannot be told one by one.
        guard revision >= offset else { throw StoreError.compacted(oldest: offset) }
        let stream = try await client.stream(
            EtcdPath.watch,
            EtcdWatchRequest(
                create: .init(key: bounds.first, rangeEnd: bounds.end, startRevision: "\(revision - offset + 1)")),
            turn: turn)
        streams.withLock { $0[ObjectIdentifier(stream)] = stream }
        if client.isClosed { stream.close() }
        return stream
    }

    func closeWatch(_ stream: EtcdStream) {
        streams.withLock { $0[ObjectIdentifier(stream)] = nil }
        stream.close()
    }

    func changes(_ events: [EtcdWatchAnswer.Event]) -> [StoreChange] {
        events.compactMap { event in
            guard let key = keys.key(event.kv.key) else { return nil }
            return StoreChange(
                key: key, value: event.type == "DELETE" ? nil : base64Bytes(event.kv.value),
                revision: (UInt64(event.kv.modRevision ?? "") ?? 0) + offset)
        }
    }
}

/// One reader of a watch: goes on at another member, from where it was, when its member fails or falls silent.
private final class EtcdWatchReader: Sendable {
    private struct State {
        var revision: UInt64
        var turn: Int
        var stream: EtcdStream?
        /// When streams began to fail; nil: the last one was good.
        var failingSince: ContinuousClock.Instant?
    }

    private let store: EtcdClusterStore
    private let range: KeyRange
    private let state: Mutex<State>

    init(_ store: EtcdClusterStore, _ range: KeyRange, after revision: UInt64) {
        self.store = store
        self.range = range
        state = Mutex(State(revision: revision, turn: store.client.turn))
    }

    deinit { if let stream = state.withLock({ $0.stream }) { store.closeWatch(stream) } }

    func next() async throws(StoreError) -> [StoreChange]? {
        while !store.client.isClosed, !Task.isCancelled {
            guard let stream = try await presentStream() else { continue }
            switch await stream.next(within: store.client.options.watchSilence) {
            case .message(let text):
                if let changes = try await read(text), !changes.isEmpty { return changes }
            case .silence:
                drop()
                state.withLock { $0.failingSince = nil }
            case .ended(let reason): try await failed(reason)
            }
        }
        return nil
    }

    private func presentStream() async throws(StoreError) -> EtcdStream? {
        let (known, revision, turn) = state.withLock { ($0.stream, $0.revision, $0.turn) }
        if let known { return known }
        do {
            let stream = try await store.openWatch(range, after: revision, turn: turn)
            state.withLock { $0.stream = stream }
            return stream
        } catch let error as StoreError {
            throw error
        } catch {
            try await failed("\(error)")
            return nil
        }
    }

    /// The changes in a message; nil when it has none.
    private func read(_ text: [UInt8]) async throws(StoreError) -> [StoreChange]? {
        guard let message = try? JSONDecoder().decode(EtcdStreamed<EtcdWatchAnswer>.self, from: Data(text)),
            let answer = message.result
        else {
            try await failed(String(decoding: text.prefix(200), as: UTF8.self))
            return nil
        }
        if let compacted = answer.compactRevision.flatMap({ UInt64($0) }), compacted > 0 {
            throw .compacted(oldest: compacted + store.offset)
        }
        if answer.canceled == true {
            try await failed("etcd cancelled the watch")
            return nil
        }
        let changes = store.changes(answer.events ?? [])
        guard let last = changes.last else { return nil }
        state.withLock {
            $0.failingSince = nil
            $0.revision = max($0.revision, last.revision)
        }
        return changes
    }

    /// The next stream is opened at another member.
    private func drop() {
        let stream = state.withLock { state in
            state.turn += 1
            defer { state.stream = nil }
            return state.stream
        }
        if let stream { store.closeWatch(stream) }
    }

    /// Fails for good when no member has served the watch for too long.
    private func failed(_ reason: String) async throws(StoreError) {
        drop()
        let since = state.withLock { state in
            state.failingSince = state.failingSince ?? .now
            return state.failingSince ?? .now
        }
        guard !store.client.isClosed else { return }
        guard ContinuousClock.now - since < store.client.options.patience else {
            throw .unavailable("no member of etcd serves a watch, the last said: \(reason)")
        }
        try? await Task.sleep(for: EtcdClient.pauseBetweenRounds)
    }
}
