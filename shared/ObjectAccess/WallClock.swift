#if canImport(Glibc)
    import Glibc
#endif

/// The time of day, only for what people read: it never orders anything.
public enum WallClock {
    public static var milliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
