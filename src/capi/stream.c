/* Streams: boxes with the number that mx/stream.h knows them by. All are the CPU's. */
#include "capi/stream.h"

#include "base/mem.h"
#include "capi/capi.h"
#include "mx/stream.h"

#include <stdio.h>

typedef struct box {
    int number;
} box;

int capi_stream_of(mlx_stream s)
{
    const box *b = capi_need(s.ctx, "mlx_stream");
    return b ? b->number : -1;
}

static int set_number(mlx_stream *stream, int number)
{
    box *b = number < 0 ? NULL : stream->ctx ? stream->ctx : mem_alloc(1, sizeof *b);
    if (!b)
        return -1;
    b->number = number;
    stream->ctx = b;
    return 0;
}

mlx_stream mlx_stream_new(void) { return (mlx_stream){0}; }

mlx_stream mlx_stream_new_device(mlx_device dev)
{
    mlx_stream stream = {0};
    capi_begin();
    if (!capi_device_is_cpu("new_stream", dev) || set_number(&stream, mx_stream_new()))
        REPORT();
    return stream;
}

int mlx_stream_set(mlx_stream *stream, const mlx_stream src)
{
    capi_begin();
    return STATUS(set_number(stream, capi_stream_of(src)));
}

int mlx_stream_free(mlx_stream stream)
{
    mem_free(stream.ctx);
    return 0;
}

int mlx_stream_tostring(mlx_string *str, mlx_stream stream)
{
    char text[64];
    capi_begin();
    int number = capi_stream_of(stream);
    snprintf(text, sizeof text, "Stream(Device(cpu, 0), %d)", number);
    return STATUS(number < 0 || capi_set_text(str, text));
}

bool mlx_stream_equal(mlx_stream lhs, mlx_stream rhs)
{
    capi_begin();
    int l = capi_stream_of(lhs), r = capi_stream_of(rhs);
    if (l < 0 || r < 0)
        REPORT();
    return l >= 0 && l == r;
}

int mlx_stream_get_device(mlx_device *dev, mlx_stream stream)
{
    capi_begin();
    return STATUS(capi_stream_of(stream) < 0 || capi_set_device(dev, MLX_CPU, 0));
}

int mlx_stream_get_index(int *index, mlx_stream stream)
{
    capi_begin();
    int number = capi_stream_of(stream);
    if (number >= 0)
        *index = number;
    return STATUS(number < 0);
}

int mlx_synchronize(mlx_stream stream)
{
    capi_begin();
    int number = capi_stream_of(stream);
    return STATUS(number < 0 || mx_synchronize(number));
}

int mlx_get_default_stream(mlx_stream *stream, mlx_device dev)
{
    capi_begin();
    return STATUS(!capi_device_is_cpu("default_stream", dev) || set_number(stream, mx_get_default_stream()));
}

int mlx_set_default_stream(mlx_stream stream)
{
    capi_begin();
    int number = capi_stream_of(stream);
    return STATUS(number < 0 || mx_set_default_stream(number));
}

mlx_stream mlx_default_cpu_stream_new(void)
{
    mlx_stream stream = {0};
    capi_begin();
    if (set_number(&stream, mx_get_default_stream()))
        REPORT();
    return stream;
}

mlx_stream mlx_default_gpu_stream_new(void)
{
    capi_begin();
    error_set("[default_stream] Cannot get gpu stream without gpu backend.");
    REPORT();
    return (mlx_stream){0};
}
