import Configuration
import Wire

/// The life of every process that is enrolled by a manager: reads the command line and settings, locks the data
/// directory, starts bus, admin server and cluster state, enrols when needed, runs the service, publishes heartbeats, and
/// stops gracefully on SIGTERM.
///
/// - Parameters:
///   - name: The name in the cluster when `node.name` is not set.
///   - settings: The service's own; the common ones are added.
///   - make: Called when bus and cluster state are up, before ``ProcessService/start()``.
public func runProcess(
    role: MemberRole, name: String, settings: [any AnySetting],
    make: @escaping @Sendable (ProcessContext) async throws -> any ProcessService
) async -> Never {
    let foundation = ProcessFoundation.prepare(
        role: role, name: name, settings: CommonSettings.local + CommonSettings.joining + settings)
    let process = ClusterProcess(foundation, make: make)
    await foundation.run(start: { try await process.start() }, stop: { await process.stop() })
}
