/* The monotonic clock.
 *
 * POSIX's CLOCK_MONOTONIC; on Linux and macOS it is read without a system call, in some 25 ns, so that even
 * spin loops may ask it now and then. */
#include "base/clock.h"

#include <time.h>

double clock_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
