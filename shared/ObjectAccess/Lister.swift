import MessageBus
import Model
import Register
import Ring
import Wire

/// Lists keys: an ordered merge over the indexes of the storage nodes.
public final class Lister: Sendable {
    private let registers: RegisterClient
    private var environment: AccessEnvironment { registers.environment }

    /// How often a page is asked for anew after the ring has changed under it.
    private static let ringChangesMax = 8

    public init(_ registers: RegisterClient) { self.registers = registers }

    /// One page. A key that was decided before the call is on its page, unless something came after it.
    public func list(_ query: ListQuery, context: MessageContext = .init()) async throws(AccessError) -> ListPage {
        let start = ContinuousClock.now
        defer { environment.metrics.took(.list, since: start) }
        do throws(AccessError) {
            return try await page(query, context, until: start + environment.options.operationTimeout)
        } catch {
            if error.isQuorumFailure { environment.metrics.failed(.list) }
            throw error
        }
    }

    private func page(
        _ query: ListQuery, _ context: MessageContext, until deadline: ContinuousClock.Instant
    ) async throws(AccessError) -> ListPage {
        guard query.limit > 0 else { return ListPage(entries: [], truncated: false) }
        var query = query
        var entries: [ListedEntry] = []
        let limit = query.limit
        var liveOnly = !query.withMarkers
        var dead = 0
        while true {
            // One more than the page takes, to know whether anything follows.
            query.limit = limit + 1 - entries.count
            let (answers, judge) = try await gather(query, liveOnly: liveOnly, context)
            var merge = ListMerge(answers, query.direction)
            guard let round = try await round(&merge, query, judge, liveOnly: liveOnly, context) else {
                liveOnly = false
                continue
            }
            entries += round.found
            dead += round.dead
            if dead > environment.options.settlingMax { liveOnly = false }
            if entries.count > limit {
                entries.removeLast(entries.count - limit)
                return ListPage(entries: entries, truncated: true, next: entries.last?.position)
            }
            guard let next = merge.continuation else { return ListPage(entries: entries, truncated: false) }
            query.after = next
            if .now >= deadline { return ListPage(entries: entries, truncated: true, next: next) }
        }
    }

    /// What the answers of one round show, at least up to the query's limit, and how many of them turned out to be dead. nil:
    /// without tombstones they leave too much open, as when a node has missed many deletes.
    private func round(
        _ merge: inout ListMerge, _ query: ListQuery, _ judge: ListJudge, liveOnly: Bool, _ context: MessageContext
    ) async throws(AccessError) -> (found: [ListedEntry], dead: Int)? {
        var found: [ListedEntry] = []
        var dead = 0
        while found.count < query.limit {
            let batch = Self.batch(&merge, judge, query, count: query.limit - found.count)
            if batch.isEmpty { break }
            if liveOnly, batch.count(where: \.isOpenKey) > environment.options.settlingMax { return nil }
            let live = try await settle(batch, query, judge, context)
            dead += batch.count - live.count
            found += live
        }
        return (found, dead)
    }

    // MARK: - Asking

    private func gather(
        _ query: ListQuery, liveOnly: Bool, _ context: MessageContext
    ) async throws(AccessError) -> ([ListAnswer], ListJudge) {
        let request = ListRequest(query, liveOnly: liveOnly)
        var ringChanges = 0
        while true {
            let view = environment.cluster.view
            guard let ring = view.ring else { throw .notReady("the cluster has no ring yet: run martlet-adm start") }
            let gather = ListGather(environment, ring: ring, level: view.consistency, context: context.at(ring.epoch))
            switch await gather.run(request) {
            case .success(let answers):
                let judge = ListJudge(
                    ring: ring, level: view.consistency, bucket: query.bucket, keyspace: query.keyspace,
                    hasTombstones: !liveOnly, nodes: answers.map(\.node))
                return (answers, judge)
            case .failure(let failure):
                guard failure.failures.has(.staleEpoch), ringChanges < Self.ringChangesMax else {
                    throw failure.failures.error
                }
                ringChanges += 1
                try? await environment.cluster.refresh()
            }
        }
    }

    // MARK: - Settling

    private struct Candidate: Sendable {
        var entry: MergedEntry
        var verdict: ListJudge.Verdict

        var isOpenKey: Bool {
            if case .key = entry.kind { verdict == .unsettled } else { false }
        }
    }

    /// The next entries that are or may be live.
    private static func batch(
        _ merge: inout ListMerge, _ judge: ListJudge, _ query: ListQuery, count: Int
    ) -> [Candidate] {
        var batch: [Candidate] = []
        while batch.count < count, let entry = merge.next() {
            var verdict = judge.verdict(entry)
            if verdict == .gone, query.withMarkers, case .key(let top, _) = entry.kind, !top.summary.isEmpty {
                verdict = .live
            }
            if verdict != .gone { batch.append(Candidate(entry: entry, verdict: verdict)) }
        }
        return batch
    }

    /// The live ones, in order. What the answers leave open is read from the registers, a bounded number at a time.
    private func settle(
        _ batch: [Candidate], _ query: ListQuery, _ judge: ListJudge, _ context: MessageContext
    ) async throws(AccessError) -> [ListedEntry] {
        var found: [ListedEntry?] = batch.map { $0.verdict == .live ? Self.listed($0.entry, query) : nil }
        let open = batch.indices.filter { batch[$0].verdict == .unsettled }
        guard !open.isEmpty else { return found.compactMap(\.self) }
        let settled = try await boundedMap(open, concurrency: environment.options.settlingMax) {
            (index) async throws(AccessError) -> ListedEntry? in
            try await self.settled(batch[index].entry, query, judge, context)
        }
        for (index, entry) in zip(open, settled) { found[index] = entry }
        return found.compactMap(\.self)
    }

    private func settled(
        _ entry: MergedEntry, _ query: ListQuery, _ judge: ListJudge, _ context: MessageContext
    ) async throws(AccessError) -> ListedEntry? {
        switch entry.kind {
        case .key:
            let record = try await registers.read(judge.name(entry.key), context: context).state?.record
            guard let record, !record.deleted || query.withMarkers && !record.summary.isEmpty else { return nil }
            return .key(entry.key, summary: record.summary, record: query.withRecords ? record.bytes : nil)
        case .commonPrefix(let witnesses):
            guard let first = witnesses.first else { return nil }
            if try await registers.read(judge.name(first.key), context: context).liveRecord != nil {
                return .commonPrefix(entry.key)
            }
            // No live key is before the first witness; one may be behind it.
            let below = ListQuery(
                bucket: query.bucket, keyspace: query.keyspace, prefix: entry.key, after: .init(key: first.key),
                until: query.until, direction: query.direction, limit: 1)
            let page = try await list(below, context: context)
            if page.entries.isEmpty, page.truncated { throw .deadlineExceeded }
            return page.entries.isEmpty ? nil : .commonPrefix(entry.key)
        }
    }

    private static func listed(_ entry: MergedEntry, _ query: ListQuery) -> ListedEntry {
        switch entry.kind {
        case .key(let top, _): .key(entry.key, summary: top.summary, record: query.withRecords ? top.record : nil)
        case .commonPrefix: .commonPrefix(entry.key)
        }
    }
}

extension ListRequest {
    /// Entries that a node is asked for at least, so that what turns out to be dead does not make many rounds.
    private static let entriesMin = 64

    /// Where tombstones are entries too, a node is asked for many at once.
    init(_ query: ListQuery, liveOnly: Bool) {
        self.init(
            bucket: query.bucket.bytes, keyspace: UInt32(query.keyspace.rawValue), prefix: query.prefix,
            after: query.after?.key ?? [], afterIsPrefix: query.after?.isPrefix ?? false, delimiter: query.delimiter,
            limit: UInt32(clamping: max(query.limit, liveOnly ? Self.entriesMin : Limits.listKeysMax)),
            withRecords: query.withRecords, liveOnly: liveOnly, backwards: query.direction == .backward,
            until: query.until)
    }
}
