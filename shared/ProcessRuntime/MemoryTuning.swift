import CMalloc

/// How the allocator treats large buffers.
///
/// By default glibc maps each block of 128 KiB or more from the kernel and returns it when it is freed. The next buffer
/// then pays for the first touch of every page again: measured at 1.7 ms a MiB, more than hashing it. Blocks up to 32 MiB
/// (the largest threshold that glibc takes) come from the heap instead, and up to 64 MiB at the top of a heap stay.
/// Few arenas, because each keeps its own free memory.
public enum MemoryTuning {
    public static func apply() {
        mallopt(M_MMAP_THRESHOLD, 32 << 20)
        mallopt(M_TRIM_THRESHOLD, 64 << 20)
        mallopt(M_ARENA_MAX, 4)
    }
}
