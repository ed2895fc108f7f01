#pragma once
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <zmq.h>

// Variadic in C, so not visible to Swift.
static inline int martlet_name_thread(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }
