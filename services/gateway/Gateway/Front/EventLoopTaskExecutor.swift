import NIOCore

/// Runs the tasks of an event loop's requests on that event loop: no hop between reading, handling and writing.
///
/// For `Task(executorPreference:)`. A task that it runs must not block.
final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedTaskExecutor()
        eventLoop.execute { [self] in
            withExtendedLifetime(self) { job.runSynchronously(on: executor) }
        }
    }
}
