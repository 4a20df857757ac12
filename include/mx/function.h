/* Functions of arrays that return as many as they like: what transforms are given. */
#ifndef MX_FUNCTION_H
#define MX_FUNCTION_H

#include "mx/array.h"

/* A growing list of arrays, which it does not own. Zero-initialise. */
typedef struct mx_arrays {
    mlx_array *items;
    size_t count, capacity;
} mx_arrays;

/* 0, or -1 with an error: out of memory, or x is null. */
MX_API int mx_arrays_add(mx_arrays *list, mlx_array x);
/* Frees the list's memory. */
MX_API void mx_arrays_free(mx_arrays *list);

/* A function of n arrays that adds its results, as many as it likes, to `out` as temporaries. 0, or anything
 * else with an error pending. */
typedef int (*mx_list_function)(void *user, const mlx_array *in, size_t n, mx_arrays *out);

#endif
