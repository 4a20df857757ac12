/* Handles of devices and streams from inside. */
#ifndef MICA_CAPI_STREAM_H
#define MICA_CAPI_STREAM_H

#include "mlx/c/stream.h"

#include <stdbool.h>

/* A device as its handle keeps it. */
typedef struct capi_device {
    mlx_device_type type;
    int index;
} capi_device;

/* The device of a handle; NULL with an error for an empty one. */
const capi_device *capi_device_of(mlx_device dev);
/* Is it the CPU? Else an error that says `what` needs it. */
bool capi_device_is_cpu(const char *what, mlx_device dev);
/* *dev becomes a device. 0, or -1 when out of memory. */
int capi_set_device(mlx_device *dev, mlx_device_type type, int index);

/* The number of a stream (mx/stream.h); -1 with an error for an empty handle. */
int capi_stream_of(mlx_stream s);

#endif
