import NIOCore
import NIOPosix

/// Runs the tasks of an event loop's requests on that event loop: no hop between reading, handling and writing.
///
/// For `Task(executorPreference:)`. A task that it runs must not block.
final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// For tasks of a request that are not children of its task: those have no preference of their own. nil: this is not
    /// the thread of an event loop.
    static var ofThisThread: EventLoopTaskExecutor? {
        MultiThreadedEventLoopGroup.currentEventLoop.map { EventLoopTaskExecutor($0) }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedTaskExecutor()
        eventLoop.execute { [self] in
            withExtendedLifetime(self) { job.runSynchronously(on: executor) }
        }
    }
}
