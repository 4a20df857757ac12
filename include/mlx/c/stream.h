/** @file
 * Streams: queues of work on a device. */
#ifndef MLX_C_STREAM_H
#define MLX_C_STREAM_H

#include "mlx/c/device.h"
#include "mlx/c/string.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** A queue of work on a device. */
typedef struct mlx_stream_ {
    void *ctx;
} mlx_stream;

/** The empty handle. */
mlx_stream mlx_stream_new(void);

/** A new stream on a device; an error if there is no such device. */
mlx_stream mlx_stream_new_device(mlx_device dev);

/** *stream becomes a copy of src. */
int mlx_stream_set(mlx_stream *stream, const mlx_stream src);

/** Drops a handle. */
int mlx_stream_free(mlx_stream stream);

/** "Stream(Device(cpu, 0), 0)". */
int mlx_stream_tostring(mlx_string *str, mlx_stream stream);

/** Are device and index the same? */
bool mlx_stream_equal(mlx_stream lhs, mlx_stream rhs);

/** *dev becomes its device. */
int mlx_stream_get_device(mlx_device *dev, mlx_stream stream);

/** Its index in *index. */
int mlx_stream_get_index(int *index, mlx_stream stream);

/** Waits until the stream has done all its work and reports errors of earlier asynchronous work. */
int mlx_synchronize(mlx_stream stream);

/** *stream becomes this thread's default stream of a device. */
int mlx_get_default_stream(mlx_stream *stream, mlx_device dev);

/** Makes a stream its device's default, for this thread. */
int mlx_set_default_stream(mlx_stream stream);

/** The default stream of the CPU. */
mlx_stream mlx_default_cpu_stream_new(void);

/** The default stream of the GPU; an error and an empty handle where there is none. */
mlx_stream mlx_default_gpu_stream_new(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
