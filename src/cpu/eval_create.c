/* Primitives that make numbers from parameters alone. */
#include "cpu/eval.h"
#include "kernels/half.h"

#include <string.h>

/* Integers count in their own width: what they lose by wrapping is the same at every step. */
static void count_integers(const prim_arange *p, char *out, size_t size, size_t itemsize)
{
    uint64_t at = p->start < 0x1p63 ? (uint64_t)(int64_t)p->start : (uint64_t)p->start;
    double next = p->start + p->step;
    uint64_t step = (next < 0x1p63 ? (uint64_t)(int64_t)next : (uint64_t)next) - at;
    for (size_t i = 0; i < size; i++, at += step, out += itemsize)
        memcpy(out, &at, itemsize); /* little-endian: the low bytes */
}

static float as_half(float v, int dtype)
{
    return dtype == MLX_FLOAT16 ? f16_to_f32(f32_to_f16(v)) : bf16_to_f32(f32_to_bf16(v));
}

static void count_halves(const prim_arange *p, uint16_t *out, size_t size)
{
    float at = as_half((float)p->start, p->dtype);
    float step = as_half(as_half((float)(p->start + p->step), p->dtype) - at, p->dtype);
    for (size_t i = 0; i < size; i++, at = as_half(at + step, p->dtype))
        out[i] = p->dtype == MLX_FLOAT16 ? f32_to_f16(at) : f32_to_bf16(at);
}

/* `width` floats an element, of which the first counts: a complex number is two. */
static void count_floats(const prim_arange *p, float *out, size_t size, size_t width)
{
    float at = (float)p->start, step = (float)(p->start + p->step) - at;
    for (size_t i = 0; i < size; i++, at += step) {
        out[i * width] = at;
        if (width == 2)
            out[i * width + 1] = 0;
    }
}

static void count_doubles(const prim_arange *p, double *out, size_t size)
{
    double at = p->start, step = p->start + p->step - at;
    for (size_t i = 0; i < size; i++, at += step)
        out[i] = at;
}

/* As MLX's CPU counts: the step is the difference of the first two elements as the dtype holds them, and is
 * added again and again in the dtype. */
int cpu_eval_arange(node *n)
{
    const prim_arange *p = n->params;
    void *out;
    if (node_allocate(n))
        return -1;
    out = n->data;
    switch (n->dtype) {
    case MLX_FLOAT64:
        count_doubles(p, out, n->size);
        break;
    case MLX_FLOAT32:
    case MLX_COMPLEX64:
        count_floats(p, out, n->size, n->dtype == MLX_COMPLEX64 ? 2 : 1);
        break;
    case MLX_FLOAT16:
    case MLX_BFLOAT16:
        count_halves(p, out, n->size);
        break;
    default:
        count_integers(p, out, n->size, node_itemsize(n));
    }
    return 0;
}

int cpu_eval_number_of_elements(node *n)
{
    const prim_number_of_elements *p = n->params;
    double count = 1;
    for (int i = 0; i < n->inputs[0]->ndim; i++)
        count *= p->axes >> i & 1 ? n->inputs[0]->shape[i] : 1;
    count = p->inverted ? 1 / count : count;
    cpu_unary_fn cast = cpu_kernels_get()->elementwise.cast[MLX_FLOAT64][n->dtype];
    if (!cast)
        return cpu_eval_no_kernel(n, (mlx_dtype)n->dtype);
    if (node_allocate(n))
        return -1;
    cast(&count, 1, n->data, 1);
    return 0;
}
