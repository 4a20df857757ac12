/* The error handler, and how shims begin and end.
 *
 * There is one handler for the process. It is called on the thread of the error, outside the lock, so that it
 * may set another one. */
#include "capi/capi.h"

#include "base/mem.h"
#include "capi/stream.h"
#include "mlx/c/error.h"
#include "mx/stream.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void print_and_exit(const char *msg, void *data)
{
    (void)data;
    printf("MLX error: %s\n", msg);
    exit(-1);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    mlx_error_handler_func function;
    void *data;
    void (*dtor)(void *);
} handler = {.function = print_and_exit}; /* under lock */

void mlx_set_error_handler(mlx_error_handler_func function, void *data, void (*dtor)(void *))
{
    pthread_mutex_lock(&lock);
    void (*old_dtor)(void *) = handler.dtor;
    void *old = handler.data;
    handler.function = function ? function : print_and_exit;
    handler.data = dtor ? data : NULL; /* MLX's handler owns data by its destructor, or does not know it */
    handler.dtor = dtor;
    pthread_mutex_unlock(&lock);
    if (old_dtor)
        old_dtor(old);
}

static void handle(const char *text)
{
    pthread_mutex_lock(&lock);
    mlx_error_handler_func function = handler.function;
    void *data = handler.data;
    pthread_mutex_unlock(&lock);
    function(text, data);
}

void _mlx_error(const char *file, const int line, const char *fmt, ...)
{
    char text[4096];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text - 256, fmt, args);
    va_end(args);
    size_t end = n < 0 ? 0 : (size_t)n < sizeof text - 256 ? (size_t)n : sizeof text - 257;
    snprintf(text + end, sizeof text - end, " at %s:%d", file, line);
    handle(text);
}

int capi_report(const char *file, int line)
{
    char text[1024];
    snprintf(text, sizeof text, "%s", error_pending() ? error_text() : "an operation failed");
    error_clear();
    _mlx_error(file, line, "%s", text);
    return 1;
}

int capi_name_op(const char *op)
{
    char text[1024];
    snprintf(text, sizeof text, "%s", error_text());
    if (error_pending() && text[0] != '[') {
        error_clear();
        error_set("[%s] %s", op, text);
    }
    return -1;
}

size_t capi_begin(void)
{
    error_clear();
    return mx_mark();
}

size_t capi_enter(mlx_stream s)
{
    size_t mark = capi_begin();
    int stream = capi_stream_of(s);
    if (stream >= 0)
        mx_use_stream(stream);
    return mark;
}

void *capi_need(void *ctx, const char *type)
{
    if (!ctx)
        error_set("expected a non-empty %s", type);
    return ctx;
}

int capi_leave(size_t mark, mlx_array *res, mlx_array x, const char *file, int line)
{
    return capi_leave_all(mark, &res, &x, 1, mx_is_null(x) ? -1 : 0, file, line);
}

int capi_leave_all(size_t mark, mlx_array *const *res, const mlx_array *x, size_t n, int rc, const char *file,
                   int line)
{
    bool failed = rc || error_pending();
    for (size_t i = 0; i < n && !failed; i++)
        mx_set(res[i], x[i]);
    mx_release(mark);
    return failed ? capi_report(file, line) : 0;
}

int capi_leave_vector(size_t mark, mlx_vector_array *res, const mlx_array *x, size_t n, int rc,
                      const char *file, int line)
{
    bool failed = rc || error_pending() || mlx_vector_array_set_data(res, x, n);
    mx_release(mark);
    return !failed ? 0 : error_pending() ? capi_report(file, line) : 1;
}

int capi_leave_room(size_t mark, mlx_vector_array *res, mlx_array *x, size_t n, int rc, const char *file,
                    int line)
{
    int status = capi_leave_vector(mark, res, x, n, rc, file, line);
    mem_free(x);
    return status;
}

mlx_array *capi_room(size_t n) { return mem_calloc(n, sizeof(mlx_array)); }

mlx_dtype capi_dtype(mlx_dtype dtype)
{
    if ((unsigned)dtype < MX_DTYPES)
        return dtype;
    error_set("%d is no dtype", (int)dtype);
    return MLX_FLOAT32;
}

bool capi_text(const char *text, const char *parameter)
{
    if (!text)
        error_set("expected a text for %s, not NULL", parameter);
    return text != NULL;
}
