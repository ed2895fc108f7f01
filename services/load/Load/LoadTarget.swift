import NIOCore

/// What operations are carried out on, one at a time: S3, or the storage nodes over the message bus. Belongs to the actor
/// of its worker.
protocol LoadTarget: AnyObject {
    /// - Parameters:
    ///   - turn: Number of the operation in the run.
    ///   - content: What is put; nil unless the operation writes content.
    func perform(
        _ planned: PlannedOperation, turn: Int, _ content: ObjectContent?, isolation: isolated (any Actor)?
    ) async throws -> OperationResult
    /// The next attempt is to go another way, if there is one.
    func moveOn()
    func close()
}

/// How one attempt of an operation ended.
enum OperationResult: Sendable, Equatable {
    /// - Parameters:
    ///   - found: false: a read of a key that holds nothing.
    ///   - version: The version that was read, if this tool wrote it.
    case done(bytes: Int, found: Bool = true, version: ObjectVersion? = nil)
    /// What was read is not what was written.
    case wrong(String, version: ObjectVersion? = nil)
    case failed(String, mayRetry: Bool)
}

/// Makes the target of each worker.
protocol LoadTargets: Sendable {
    /// Once, before a run: what it needs is made or found.
    func prepare(_ plan: LoadPlan, on group: any EventLoopGroup) async throws -> any LoadTargets
    func target(ofWorker id: Int, _ plan: LoadPlan, on eventLoop: any EventLoop) -> sending any LoadTarget
}
