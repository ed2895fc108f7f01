import Glibc

/// How the kernel runs the threads of a process.
///
/// A request passes some threads that work for microseconds each. By default a thread that wakes takes the processor from the
/// one that woke it: each message then costs several switches. As `SCHED_BATCH` it waits until that one sleeps or its
/// slice is over, and finds more work to do at once. Where a processor is idle nothing changes. The share of the processor
/// is the same, see sched(7).
public enum ThreadScheduling {
    /// `SCHED_BATCH`, which glibc's headers show only to those who ask for GNU's extensions.
    private static let batch: Int32 = 3

    /// For this thread and all that it begins. What the kernel refuses is left as it was.
    public static func apply() {
        var parameters = sched_param()
        parameters.sched_priority = 0
        _ = sched_setscheduler(0, batch, &parameters)
    }
}
