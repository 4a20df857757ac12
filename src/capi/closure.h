/* What transforms need of closures. */
#ifndef MICA_CAPI_CLOSURE_H
#define MICA_CAPI_CLOSURE_H

#include "capi/capi.h"
#include "mlx/c/closure.h"
#include "mx/function.h"

/* A further share. */
mlx_closure capi_share(mlx_closure cls);
/* *res becomes a closure of fun and payload; the payload is destroyed when this fails, too. Status. */
int capi_set_closure(mlx_closure *res, int (*fun)(mlx_vector_array *, const mlx_vector_array, void *),
                     void *payload, void (*dtor)(void *));

/* A closure as a function that transforms take: `cls` points to the handle. */
int capi_call(void *cls, const mlx_array *in, size_t n, mx_arrays *out);
/* The arrays of v, which is freed, as temporaries at the end of out. 0, or -1 with an error. */
int capi_take_all(mlx_vector_array v, mx_arrays *out);

/* Ends the function behind a closure of ours: *res is set to out, whose memory is freed, or the error stays
 * pending, for what called the closure to report. 0, or else. */
int capi_return_vector(size_t mark, mlx_vector_array *res, mx_arrays *out, int rc, const char *file,
                       int line);
/* Ends a shim with two lists of results: both vectors are set, or none. Status. The lists' memory is freed.
 */
int capi_leave_lists(size_t mark, mlx_vector_array *res_0, mx_arrays *x, mlx_vector_array *res_1,
                     mx_arrays *y, int rc, const char *file, int line);

#endif
