/** @file
 * Compiled functions. */
#ifndef MLX_C_COMPILE_H
#define MLX_C_COMPILE_H

#include "mlx/c/closure.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/** What compiled functions do: call the original, or replay the trace without merging equal nodes, without
 * fusing, or with both. */
typedef enum mlx_compile_mode_ {
    MLX_COMPILE_MODE_DISABLED,
    MLX_COMPILE_MODE_NO_SIMPLIFY,
    MLX_COMPILE_MODE_NO_FUSE,
    MLX_COMPILE_MODE_ENABLED,
} mlx_compile_mode;

/** *res becomes a function that traces `fun` once for each kind of inputs and replays the simplified graph.
 * shapeless: one trace serves all shapes with as many axes. The traces live as long as *res. */
int mlx_compile(mlx_closure *res, const mlx_closure fun, bool shapeless);

/** mlx_compile under the caller's key: fun_id stands for the function, and any change of `constants` traces
 * anew. */
int mlx_detail_compile(mlx_closure *res, const mlx_closure fun, uintptr_t fun_id, bool shapeless,
                       const uint64_t *constants, size_t constants_num);

/** Forgets all traces of this thread. */
int mlx_detail_compile_clear_cache(void);

/** Forgets the traces of one fun_id. */
int mlx_detail_compile_erase(uintptr_t fun_id);

/** Compiled functions call the original from now on, in the whole process. The environment variable
 * MLX_DISABLE_COMPILE says so from the start. */
int mlx_disable_compile(void);

/** Undoes mlx_disable_compile. */
int mlx_enable_compile(void);

/** How much compiled functions simplify, in the whole process. */
int mlx_set_compile_mode(mlx_compile_mode mode);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
