// sync_file_range(2), which <fcntl.h> shows only to those who ask for GNU's extensions.
#pragma once

extern int sync_file_range(int descriptor, long long offset, long long count, unsigned int flags);

/// Has the device write what is cached of a range, and waits for it. No promise of durability.
static inline int martlet_write_back(int descriptor, long long offset, long long count) {
    return sync_file_range(descriptor, offset, count, 1 | 2 | 4);  // SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE, _WAIT_AFTER
}
