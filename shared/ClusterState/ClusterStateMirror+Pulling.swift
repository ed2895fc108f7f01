import MessageBus
import Model
import Wire

extension ClusterStateMirror {
    /// Pulls from the managers in turn until one answers.
    ///
    /// Callers share requests, but only one that began after their call: what happened before it is then seen.
    public func refresh() async throws { try await joinPull().value }

    func wake() { _ = joinPull() }

    private func joinPull() -> Task<Void, any Error> {
        state.withLock { state in
            if let next = state.nextPull { return next }
            let previous = state.pull
            let task = Task {
                _ = await previous?.result
                self.pullBegan(afterAnother: previous != nil)
                defer { self.pullEnded() }
                try await self.pull()
            }
            if previous == nil { state.pull = task } else { state.nextPull = task }
            return task
        }
    }

    private func pullBegan(afterAnother: Bool) {
        guard afterAnother else { return }
        state.withLock {
            $0.pull = $0.nextPull
            $0.nextPull = nil
        }
    }

    private func pullEnded() {
        state.withLock { if $0.nextPull == nil { $0.pull = nil } }
    }

    private func pull() async throws {
        guard let bus = state.withLock({ $0.bus }) else {
            throw ClusterStateError.noManagerReachable("the mirror is not started")
        }
        var reasons: [String] = []
        for manager in managers {
            do {
                let request = FetchStateRequest(afterRevision: view.revision)
                let reply = try await bus.request(
                    .fetchState, request, to: manager, timeout: Self.fetchTimeout, answer: FetchStateReply.self)
                state.withLock { $0.preferred = manager }
                await install(reply.message, from: manager)
                await announce(to: manager, over: bus)
                return
            } catch {
                reasons.append("\(manager): \(error.status) \(error.message)")
                // The manager may have been replaced: introduce this process again.
                state.withLock { _ = $0.announcedTo.remove(manager) }
            }
        }
        await askPeers(over: bus)
        throw ClusterStateError.noManagerReachable(reasons.joined(separator: "; "))
    }

    private func install(_ reply: FetchStateReply, from manager: NodeName) async {
        let merged: (ClusterEntries, [StateEntry])? = state.withLock { state in
            var entries = state.entries
            guard let changes = entries.merge(reply) else { return nil }
            return (entries, changes)
        }
        guard let (entries, changes) = merged else {
            if reply.revision < view.revision {
                logger.error(
                    "the manager knows an older state than this process",
                    metadata: ["manager": "\(manager)", "theirs": "\(reply.revision)", "ours": "\(view.revision)"])
            }
            return
        }
        // Kept before it is shown: a process never works by a ring that it could forget in a restart.
        if !changes.isEmpty { await keep(entries) }
        publish(entries, changes)
    }

    func keep(_ entries: ClusterEntries) async {
        await withCheckedContinuation { continuation in
            files.async { [file, logger] in
                do {
                    try file.store(entries.snapshot)
                } catch {
                    logger.error("cannot keep the cluster state", metadata: ["error": "\(error)"])
                }
                continuation.resume()
            }
        }
    }

    func publish(_ entries: ClusterEntries, _ changes: [StateEntry]) {
        let (view, handlers, reached) = state.withLock { state in
            state.entries = entries
            state.view = state.view.applying(changes, revision: entries.revision)
            let reached = state.waiters.filter { $0.value.revision <= entries.revision }
            for id in reached.keys { state.waiters[id] = nil }
            return (state.view, state.handlers, reached.values)
        }
        for waiter in reached { waiter.continuation.resume() }
        guard !changes.isEmpty else { return }
        updateSubscriptions()
        for handler in handlers { handler(view) }
    }

    private func announce(to manager: NodeName, over bus: any ClusterBus) async {
        let due = state.withLock { $0.announcedTo.contains(manager) ? nil : $0.announcement }
        guard let due else { return }
        do {
            _ = try await bus.request(.enrol, due, to: manager, timeout: Self.fetchTimeout, answer: EnrolReply.self)
            state.withLock { _ = $0.announcedTo.insert(manager) }
        } catch {
            logger.warning(
                "the manager did not take the announcement of this process",
                metadata: ["manager": "\(manager)", "error": "\(error.status) \(error.message)"])
        }
    }

    /// Returns when the view shows this revision or a later one.
    public func waitFor(revision: UInt64, timeout: Duration) async throws {
        guard view.revision < revision else { return }
        wake()
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        try await withCheckedThrowingContinuation { continuation in
            let reached = state.withLock { state in
                if state.view.revision >= revision { return true }
                state.waiters[id] = RevisionWaiter(revision: revision, continuation: continuation)
                return false
            }
            if reached { return continuation.resume() }
            Task {
                try? await Task.sleep(for: timeout)
                let waiter = self.state.withLock { $0.waiters.removeValue(forKey: id) }
                waiter?.continuation.resume(throwing: ClusterStateError.revisionNotReached(revision))
            }
        }
    }
}
