/* compile: a function is run once with placeholders; later calls replay the simplified and fused graph. */
#ifndef MX_COMPILE_H
#define MX_COMPILE_H

#include "mx/transforms.h"

typedef enum mx_compile_mode {
    MX_COMPILE_DISABLED,    /* functions run as they are */
    MX_COMPILE_NO_SIMPLIFY, /* equal expressions are not merged */
    MX_COMPILE_NO_FUSE,     /* elementwise operations stay apart */
    MX_COMPILE_ENABLED,
} mx_compile_mode;

/* Adds f's results for these inputs to `out`, by a graph that is kept for the next call with the same id,
 * dtypes, shapes (shapeless: numbers of dimensions), constants and default stream. What f takes from
 * elsewhere is part of the graph as it was at that call. Called with arrays that a transform traces, or while
 * one runs, f runs as it is. `id` stands for f and all that it depends on: whoever makes ids up erases them.
 * 0, or -1 with an error. */
MX_API int mx_compiled(uintptr_t id, mx_list_function f, void *user, bool shapeless,
                       const uint64_t *constants, size_t n_constants, const mlx_array *in, size_t n,
                       mx_arrays *out);
/* Forgets the graphs of one id, or all. */
MX_API void mx_compile_erase(uintptr_t id);
MX_API void mx_compile_clear_cache(void);
/* For the whole process; it begins enabled, unless the environment has MLX_DISABLE_COMPILE. */
MX_API void mx_set_compile_mode(mx_compile_mode mode);
/* Are graphs, rather than the functions themselves, run now? */
MX_API mx_compile_mode mx_get_compile_mode(void);

#endif
