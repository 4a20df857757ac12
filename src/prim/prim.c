/* The table of primitives, and the one way in which nodes are made. */
#include "prim/prim.h"

#include "base/error.h"
#include "base/mem.h"
#include "prim/grad.h"
#include "prim/vmap.h"

#include <stdio.h>

#define PRIM(name, arity, rule, ...) int shape_##rule(node *const *, size_t, const void *, prim_spec *);
#include "prim/prim.def"
#undef PRIM

const prim_info prim_table[PRIM_COUNT] = {
#define PRIM(name, arity, rule, vjp, vmap, flags) \
    [PRIM_##name] = {#name, arity, PRIM_##flags, shape_##rule, grad_##vjp, vmap_##vmap},
#include "prim/prim.def"
#undef PRIM
};

/* Unwraps the inputs; false if one is null. */
static bool unwrap(const mlx_array *inputs, size_t n, node **in)
{
    for (size_t i = 0; i < n; i++) {
        if (mx_is_null(inputs[i]))
            return false;
        in[i] = node_of(inputs[i]);
    }
    return true;
}

/* A rule that fails and says nothing means that its inputs' shapes cannot be broadcast. */
static void explain(int prim, node *const *in, size_t n)
{
    char shapes[256] = "";
    for (size_t i = 0, used = 0; i < n && used < sizeof shapes; i++)
        used += (size_t)snprintf(shapes + used, sizeof shapes - used, "%s%s",
                                 !i           ? ""
                                 : i == n - 1 ? " and "
                                              : ", ",
                                 shape_text(in[i]->shape, in[i]->ndim));
    error_set("[%s] shapes %s cannot be broadcast", prim_table[prim].name,
              shapes); /* kept if there is none yet */
}

int prim_infer(int prim, node *const *in, size_t n, const void *params, prim_spec *specs)
{
    int count = prim_table[prim].shape(in, n, params, specs);
    if (count < 0)
        explain(prim, in, n);
    return count;
}

static node *make(int prim, node **in, size_t n, const void *params, size_t params_size, prim_spec *specs,
                  int *count)
{
    *count = prim_infer(prim, in, n, params, specs);
    if (*count < 0)
        return NULL;
    return node_new(prim, specs[0].dtype, specs[0].shape, specs[0].ndim, in, n, params, params_size);
}

mlx_array prim_make(int prim, const mlx_array *inputs, size_t n, const void *params, size_t params_size)
{
    node *few[8], **in = n <= 8 ? few : mem_alloc(n, sizeof *in);
    prim_spec spec[PRIM_FEW_OUTPUTS];
    int count;
    node *made = NULL;
    few[0] = NULL;
    if (in && unwrap(inputs, n, in))
        made = make(prim, in, n, params, params_size, spec, &count);
    if (in != few)
        mem_free(in);
    return node_temp(made);
}

int prim_add_outputs(node *n, const prim_spec *specs, int count)
{
    n->outputs = mem_calloc((size_t)count, sizeof *n->outputs);
    if (!n->outputs)
        return -1;
    n->n_outputs = (uint16_t)count;
    for (int i = 0; i < count; i++) {
        n->outputs[i] = node_new(PRIM_None, specs[i].dtype, specs[i].shape, specs[i].ndim, NULL, 0, NULL, 0);
        if (!n->outputs[i])
            return -1;
    }
    return 0;
}

/* The node with several results, as a temporary. */
static mlx_array make_tuple(int prim, const mlx_array *inputs, size_t n, const void *params,
                            size_t params_size, int n_out)
{
    node *few[8], **in = n <= 8 ? few : mem_alloc(n, sizeof *in), *made = NULL;
    prim_spec room[PRIM_FEW_OUTPUTS],
        *specs = n_out <= PRIM_FEW_OUTPUTS ? room : mem_alloc((size_t)n_out, sizeof *specs);
    int count = 0;
    if (in && specs && unwrap(inputs, n, in))
        made = make(prim, in, n, params, params_size, specs, &count);
    mlx_array tuple = node_temp(made);
    if (!mx_is_null(tuple) && prim_add_outputs(made, specs, count))
        tuple = MX_NULL;
    if (in != few)
        mem_free(in);
    if (specs != room)
        mem_free(specs);
    return tuple;
}

int prim_make_many(int prim, const mlx_array *inputs, size_t n, const void *params, size_t params_size,
                   mlx_array *out, int n_out)
{
    for (int i = 0; i < n_out; i++)
        out[i] = MX_NULL;
    mlx_array tuple = make_tuple(prim, inputs, n, params, params_size, n_out);
    if (mx_is_null(tuple))
        return -1;
    for (int i = 0; i < n_out; i++) {
        prim_item item = {i};
        out[i] = prim_make(PRIM_Item, &tuple, 1, &item, sizeof item);
        if (mx_is_null(out[i]))
            return -1;
    }
    return 0;
}
