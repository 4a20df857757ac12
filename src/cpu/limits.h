/* What this machine can do at most: the denominators of every speed claim. Measured, not looked up. */
#ifndef MICA_CPU_LIMITS_H
#define MICA_CPU_LIMITS_H

#include "cpu/qmm.h"

/* Bytes per second that `threads` threads of the pool (0 = all) read from memory, best of several passes over
 * about a second: each walks its own contiguous share of a buffer that is much larger than the caches, where
 * memory allows. 0 and an error when no buffer can be had. */
double cpu_read_bandwidth(int threads);

/* Multiply-accumulates per second from registers alone, on `threads` threads of the pool (0 = all), best of
 * several runs of some milliseconds: bytes by the int8 products' instruction, float32, and bfloat16 (0 where
 * no instruction multiplies these). */
double cpu_peak_i8(int threads);
double cpu_peak_f32(int threads);
double cpu_peak_bf16(int threads);

#endif
