/* What every shim of the C interface is made of.
 *
 *     int mlx_add(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s)
 *     {
 *         size_t mark = capi_enter(s);
 *         return LEAVE(mark, res, mx_add(capi_in(a), capi_in(b)));
 *     }
 *
 * Entering forgets an old error of the thread and opens a level of temporaries; an empty handle among the
 * inputs records an error and passes on as the null array, through which every mx_ function is silent;
 * leaving closes the level and either sets the result or reports the error. */
#ifndef MICA_CAPI_CAPI_H
#define MICA_CAPI_CAPI_H

#include "base/error.h"
#include "mlx/c/array.h"
#include "mlx/c/stream.h"
#include "mlx/c/vector.h"
#include "mx.h"

/* Where a report says that an error is. */
#define HERE __FILE__, __LINE__

/* Gives the pending error to the handler. Always returns 1. */
int capi_report(const char *file, int line);
#define REPORT() capi_report(HERE)
/* Puts "[op] " in front of the pending error if it names no operation. Always returns -1. */
int capi_name_op(const char *op);

/* What a look-up returns, without an error, when there is nothing. */
#define CAPI_ABSENT 2

/* The status of a shim whose work returned rc: 0, or 1 with the error reported. */
static inline int capi_status(int rc, const char *file, int line) { return rc ? capi_report(file, line) : 0; }
#define STATUS(rc) capi_status(rc, HERE)

/* Begins a shim that runs on a stream, or needs none. The level of temporaries to leave by. */
size_t capi_enter(mlx_stream s);
size_t capi_begin(void);

/* ctx, or NULL with an error that names the type. */
void *capi_need(void *ctx, const char *type);
static inline mlx_array capi_in(mlx_array a) { return (mlx_array){capi_need(a.ctx, "mlx_array")}; }

/* dtype, or float32 with an error when it is none. */
mlx_dtype capi_dtype(mlx_dtype dtype);
/* Is the text there? Else an error that says which parameter it is. */
bool capi_text(const char *text, const char *parameter);
/* Room for n results, all null; NULL with an error. For capi_leave_room. */
mlx_array *capi_room(size_t n);

/* Ends a shim: res becomes x, or several results become x[0..n) if rc is 0. Status. */
int capi_leave(size_t mark, mlx_array *res, mlx_array x, const char *file, int line);
int capi_leave_all(size_t mark, mlx_array *const *res, const mlx_array *x, size_t n, int rc, const char *file,
                   int line);
int capi_leave_vector(size_t mark, mlx_vector_array *res, const mlx_array *x, size_t n, int rc,
                      const char *file, int line);
/* The same with x from capi_room, which is freed. */
int capi_leave_room(size_t mark, mlx_vector_array *res, mlx_array *x, size_t n, int rc, const char *file,
                    int line);
#define LEAVE(mark, res, x)               capi_leave(mark, res, x, HERE)
#define LEAVE_ALL(mark, res, x, n, rc)    capi_leave_all(mark, res, x, n, rc, HERE)
#define LEAVE_VECTOR(mark, res, x, n, rc) capi_leave_vector(mark, res, x, n, rc, HERE)

/* A list of numbers that is not NULL, which to an mx_ function would mean all axes. */
static inline const int *capi_ints(const int *p)
{
    static const int none;
    return p ? p : &none;
}

/* The arrays of a vector, *n of them; NULL with an error for an empty handle. */
const mlx_array *capi_items(mlx_vector_array v, size_t *n);

/* The same for texts. */
const char *const *capi_texts(mlx_vector_string v, size_t *n);

/* *str becomes a copy of a text. 0, or -1 when out of memory. */
int capi_set_text(mlx_string *str, const char *text);

#endif
