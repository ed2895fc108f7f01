import Glibc

/// A value behind a lock, with a condition to wait on: for threads of our own that may block.
public final class Monitor<State>: @unchecked Sendable {
    /// On the heap of its own: while a body waits, others change it, which a stored property must not meet (the compiler may
    /// keep what it has read of one for as long as the body has access to it).
    private let state: UnsafeMutablePointer<State>
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    public init(_ state: State) {
        self.state = .allocate(capacity: 1)
        self.state.initialize(to: state)
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        condition = .allocate(capacity: 1)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    public func withLock<R, E: Error>(_ body: (inout State) throws(E) -> R) throws(E) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state.pointee)
    }

    /// Like `withLock`, for bodies that wait: the body must look at the state anew after each `wait`.
    public func waiting<R, E: Error>(_ body: (UnsafeMutablePointer<State>, Waiter) throws(E) -> R) throws(E) -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(state, Waiter(mutex: mutex, condition: condition))
    }

    /// Wakes one of those who wait: enough when all of them wait for the same.
    public func wakeOne() { pthread_cond_signal(condition) }

    /// Wakes everybody who waits.
    public func wake() { pthread_cond_broadcast(condition) }

    public struct Waiter {
        fileprivate let mutex: UnsafeMutablePointer<pthread_mutex_t>
        fileprivate let condition: UnsafeMutablePointer<pthread_cond_t>

        /// Gives the lock away until somebody wakes.
        public func wait() { pthread_cond_wait(condition, mutex) }

        /// False when the time is over.
        public func wait(milliseconds: Int) -> Bool {
            var deadline = timespec()
            clock_gettime(CLOCK_MONOTONIC, &deadline)
            let nanoseconds = deadline.tv_nsec + (milliseconds % 1000) * 1_000_000
            deadline.tv_sec += milliseconds / 1000 + nanoseconds / 1_000_000_000
            deadline.tv_nsec = nanoseconds % 1_000_000_000
            return pthread_cond_timedwait(condition, mutex, &deadline) == 0
        }
    }
}
