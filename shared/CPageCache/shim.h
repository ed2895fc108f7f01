// What Linux knows of a file in memory and on the device: sync_file_range(2), preadv2(2), openat2(2), fallocate(2) and
// O_DIRECT, which glibc's headers show only to those who ask for GNU's extensions, or not at all.
#pragma once

#include <fcntl.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/uio.h>

extern long syscall(long number, ...);

extern int sync_file_range(int descriptor, long long offset, long long count, unsigned int flags);
extern ssize_t preadv2(int descriptor, const struct iovec *pieces, int count, off_t offset, int flags);
extern int fallocate(int descriptor, int mode, off_t offset, off_t size);

/// O_DIRECT, which is not the same on every processor.
static const int martlet_direct_flag = __O_DIRECT;

/// Sets space aside for a file of this size, which becomes so large.
static inline int martlet_reserve(int descriptor, off_t size) { return fallocate(descriptor, 0, 0, size); }

/// Has the device write what is cached of a range, and waits for it. No promise of durability.
static inline int martlet_write_back(int descriptor, long long offset, long long count) {
    return sync_file_range(descriptor, offset, count, 1 | 2 | 4);  // SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE, _WAIT_AFTER
}

/// Opens a file for reading if the system has all of its path in memory; -1 otherwise.
static inline int martlet_open_cached(const char *path) {
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, .resolve = RESOLVE_CACHED};
    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

/// Reads what is in memory; less than was asked for, or -1, when the device would have to be waited for.
static inline ssize_t martlet_read_cached(int descriptor, void *buffer, size_t size, off_t offset) {
    struct iovec piece = {buffer, size};
    return preadv2(descriptor, &piece, 1, offset, 8);  // RWF_NOWAIT
}
