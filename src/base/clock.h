/* Time for measuring: never jumps, starts anywhere. */
#ifndef MICA_BASE_CLOCK_H
#define MICA_BASE_CLOCK_H

/* Seconds of a monotonic clock, to better than a microsecond. */
double clock_seconds(void);

#endif
