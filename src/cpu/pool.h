/* The worker threads that kernels run on.
 *
 * Workers live as long as the process. Between jobs they spin for some tens of microseconds, since the next
 * job of a decode step is that close, and then sleep. One job runs at a time: the caller is worker 0 and
 * returns when all have finished. A job started from inside a job runs on the calling worker alone. */
#ifndef MICA_CPU_POOL_H
#define MICA_CPU_POOL_H

#include <stddef.h>

/* Number of threads that a job may use, the caller included (at least 1). */
int pool_threads(void);
/* Sets it; 0 = the cores that this process may use (affinity mask, cgroup quota). Not during a job. */
void pool_set_threads(int n);

/* Calls fn(arg, t, n) on n = min(max_threads, pool_threads()) threads at once, t = 0 .. n-1. */
void pool_run(void (*fn)(void *arg, int t, int n), void *arg, int max_threads);

/* Splits [0, n) into one contiguous range per thread, borders at multiples of `grain`; fewer threads when
 * there are fewer grains, and no other thread at all for a single grain. fn runs once per range. */
void pool_for(size_t n, size_t grain, void (*fn)(void *arg, size_t begin, size_t end), void *arg);

/* Stops the workers; the next job starts them again. */
void pool_stop(void);

#endif
