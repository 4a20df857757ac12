/* Streams and asynchronous evaluation.
 *
 * A stream is a number; work that is handed to it is done in order, on a thread of its own, beside that of
 * other streams. Every thread has a default stream, made when it is first asked for. */
#ifndef MX_STREAM_H
#define MX_STREAM_H

#include "mx/array.h"

/* A new stream: its number, one more than the last one's. */
MX_API int mx_stream_new(void);
/* This thread's default stream. */
MX_API int mx_get_default_stream(void);
/* Makes another one the default of this thread. 0, or -1 with an error when there is no such stream. */
MX_API int mx_set_default_stream(int stream);
/* Operations of this thread are from now on recorded on this stream; returns the one that they were recorded
 * on before, or -1 with an error when there is no such stream. A thread begins with its default stream. */
MX_API int mx_use_stream(int stream);

/* Hands the work that the arrays need to the streams it was recorded on and returns. Reading, evaluating and
 * mx_data wait for it; it may be built upon at once. What fails makes all that depends on it fail, and the
 * next wait reports it. 0, or -1 with an error: then nothing was begun. */
MX_API int mx_async_eval(const mlx_array *x, size_t n);
/* Waits for all work handed to a stream. -1 with the first error of that work that no wait has reported yet.
 */
MX_API int mx_synchronize(int stream);

#endif
