/* Compiled functions: a closure whose payload is the function, the key of its graphs and what they depend on.
 */
#include "mlx/c/compile.h"

#include "base/mem.h"
#include "capi/closure.h"
#include "mx/compile.h"

#include <string.h>

typedef struct compiled {
    mlx_closure fun;
    uintptr_t id;
    bool erase; /* the key is this object's address: its graphs go with it */
    bool shapeless;
    size_t n_constants;
    uint64_t constants[];
} compiled;

static void compiled_free(void *payload)
{
    compiled *c = payload;
    if (c->erase)
        mx_compile_erase(c->id);
    mlx_closure_free(c->fun);
    mem_free(c);
}

static int call_compiled(mlx_vector_array *res, const mlx_vector_array input, void *payload)
{
    compiled *c = payload;
    size_t n, mark = capi_begin();
    const mlx_array *x = capi_items(input, &n);
    mx_arrays out = {0};
    int rc =
        !x || mx_compiled(c->id, capi_call, &c->fun, c->shapeless, c->constants, c->n_constants, x, n, &out);
    return capi_return_vector(mark, res, &out, rc, HERE);
}

static int compile(mlx_closure *res, mlx_closure fun, const uintptr_t *id, bool shapeless,
                   const uint64_t *constants, size_t n, const char *file, int line)
{
    capi_begin();
    size_t bytes;
    bool fits = mem_mul(n, sizeof *constants, &bytes) && mem_add(bytes, sizeof(compiled), &bytes);
    compiled *c = capi_need(fun.ctx, "mlx_closure") && fits ? mem_alloc(1, bytes) : NULL;
    if (!c)
        return capi_report(file, line);
    *c = (compiled){.fun = capi_share(fun),
                    .id = id ? *id : (uintptr_t)c,
                    .erase = !id,
                    .shapeless = shapeless,
                    .n_constants = n};
    if (n)
        memcpy(c->constants, constants, n * sizeof *constants);
    return capi_set_closure(res, call_compiled, c, compiled_free);
}

int mlx_compile(mlx_closure *res, const mlx_closure fun, bool shapeless)
{
    return compile(res, fun, NULL, shapeless, NULL, 0, HERE);
}

int mlx_detail_compile(mlx_closure *res, const mlx_closure fun, uintptr_t fun_id, bool shapeless,
                       const uint64_t *constants, size_t constants_num)
{
    return compile(res, fun, &fun_id, shapeless, constants, constants_num, HERE);
}

int mlx_detail_compile_clear_cache(void)
{
    mx_compile_clear_cache();
    return 0;
}

int mlx_detail_compile_erase(uintptr_t fun_id)
{
    mx_compile_erase(fun_id);
    return 0;
}

int mlx_disable_compile(void)
{
    mx_set_compile_mode(MX_COMPILE_DISABLED);
    return 0;
}

int mlx_enable_compile(void)
{
    mx_set_compile_mode(MX_COMPILE_ENABLED);
    return 0;
}

int mlx_set_compile_mode(mlx_compile_mode mode)
{
    capi_begin();
    if ((unsigned)mode > MLX_COMPILE_MODE_ENABLED) {
        error_set("[set_compile_mode] there is no mode %d", (int)mode);
        return REPORT();
    }
    mx_set_compile_mode((mx_compile_mode)mode);
    return 0;
}
