import Logging
import MessageBus
import Model
import ObjectAccess
import Synchronization

/// Carries out what is decided about archived versions in the background, soon after the decision.
///
/// Best effort on purpose: what is not done here, because this process dies or too much is under way, is done by whoever
/// changes the key next, and until then every reader sees it as if it were done.
final class VersionArchive: Sendable {
    private struct State {
        var running: Set<RegisterName> = []
        var idle: [CheckedContinuation<Void, Never>] = []
    }

    static let atOnce = 64

    private let versions: ObjectVersions
    private let logger: Logger
    private let state = Mutex(State())

    init(_ versions: ObjectVersions, logger: Logger) {
        self.versions = versions
        self.logger = logger
    }

    /// Returns at once.
    func settle(_ name: RegisterName) {
        let mayStart = state.withLock { state in
            state.running.count < Self.atOnce && state.running.insert(name).inserted
        }
        guard mayStart else { return }
        Task {
            do { try await versions.settle(name, context: MessageContext()) } catch {
                logger.debug("versions are archived later", metadata: ["error": "\(error)"])
            }
            finished(name)
        }
    }

    /// Returns when nothing runs.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if !state.running.isEmpty { state.idle.append(continuation) }
                return state.running.isEmpty
            }
            if isIdle { continuation.resume() }
        }
    }

    private func finished(_ name: RegisterName) {
        let idle = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.running.remove(name)
            guard state.running.isEmpty else { return [] }
            defer { state.idle = [] }
            return state.idle
        }
        for continuation in idle { continuation.resume() }
    }
}
