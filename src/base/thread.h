/* How many threads are worth starting. */
#ifndef MICA_BASE_THREAD_H
#define MICA_BASE_THREAD_H

#include <pthread.h>

/* The number of cores this process may use, at least 1: the affinity mask and the container's CPU quota
 * (control groups, version 2 or 1) on Linux, the performance cores on Apple silicon, the processors online
 * elsewhere. Asked anew at each call. */
int thread_cores(void);

/* The CPU quota, in cores, that the control groups listed in `list` (the text of /proc/self/cgroup) set
 * under `root` (where they are mounted): the smallest on the way up from the process's group. 0 = none. */
double thread_quota(const char *list, const char *root);

/* Sends a thread to another core than the caller's, if the caller may use another: some schedulers
 * wake a thread on the core of the one that wakes it and leave it waiting there for milliseconds. Linux only;
 * elsewhere nothing happens. */
void thread_keep_apart(pthread_t other);

/* Tells the processor that this is a spin loop. */
static inline void thread_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
