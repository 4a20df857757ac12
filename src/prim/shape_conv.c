/* The shape rule of convolutions. */
#include "prim/prim.h"

#include "base/error.h"

#define PRIM(name, arity, rule, ...) int shape_##rule(node *const *, size_t, const void *, prim_spec *);
#include "prim/prim.def"
#undef PRIM

/* Entries from the first to the last of `n` that are `step` apart. */
static int64_t spread(int n, int step) { return n ? 1 + ((int64_t)n - 1) * step : 0; }

int shape_convolution(node *const *in, size_t n, const void *params, prim_spec *out)
{
    (void)n;
    const prim_conv *p = params;
    const node *x = in[0], *w = in[1];
    out->dtype = mx_promote((mlx_dtype)x->dtype, (mlx_dtype)w->dtype);
    out->ndim = x->ndim;
    out->shape[0] = x->shape[0];
    out->shape[out->ndim - 1] = w->shape[0];
    for (int i = 0; i < out->ndim - 2; i++) {
        int64_t size = spread(x->shape[i + 1], p->input_dilation[i]) + p->low[i] + p->high[i],
                kernel = spread(w->shape[i + 1], p->kernel_dilation[i]);
        if (kernel == 0 || size < kernel)
            return error_set(
                "[conv] axis %d: the input of %s, %lld entries with dilation and padding, is shorter "
                "than the kernel of %s, %lld with dilation",
                i, shape_text(x->shape, x->ndim), (long long)size, shape_text(w->shape, w->ndim),
                (long long)kernel);
        if ((size - kernel) / p->stride[i] >= INT32_MAX)
            return error_set("[conv] axis %d of the result would be too long", i);
        out->shape[i + 1] = (int)((size - kernel) / p->stride[i] + 1);
    }
    return 1;
}
