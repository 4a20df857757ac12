/* Sorting. Each row becomes pairs of a 64-bit key, whose unsigned order is the order of the values, and the
 * element's position; a stable merge sort orders the pairs. NaN sorts last, -0 equals 0. */
#include "base/mem.h"
#include "cpu/eval.h"
#include "cpu/walk.h"
#include "kernels/half.h"

#include <string.h>

typedef struct pair {
    uint64_t key;
    uint32_t at;
} pair;

static uint64_t key_of_double(double v)
{
    uint64_t bits;
    if (v != v)
        return UINT64_MAX;
    v += 0.0; /* -0 to 0 */
    memcpy(&bits, &v, 8);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static uint64_t key_of(const char *p, mlx_dtype t)
{
    const uint64_t sign = (uint64_t)1 << 63;
    switch (t) {
    case MLX_BOOL:
    case MLX_UINT8:
        return *(const uint8_t *)p;
    case MLX_UINT16:
        return *(const uint16_t *)p;
    case MLX_UINT32:
        return *(const uint32_t *)p;
    case MLX_UINT64:
        return *(const uint64_t *)p;
    case MLX_INT8:
        return (uint64_t)(int64_t) * (const int8_t *)p ^ sign;
    case MLX_INT16:
        return (uint64_t)(int64_t) * (const int16_t *)p ^ sign;
    case MLX_INT32:
        return (uint64_t)(int64_t) * (const int32_t *)p ^ sign;
    case MLX_INT64:
        return (uint64_t) * (const int64_t *)p ^ sign;
    case MLX_FLOAT16:
        return key_of_double(f16_to_f32(*(const uint16_t *)p));
    case MLX_BFLOAT16:
        return key_of_double(bf16_to_f32(*(const uint16_t *)p));
    case MLX_FLOAT32:
        return key_of_double(*(const float *)p);
    default:
        return key_of_double(*(const double *)p);
    }
}

/* Bottom-up merge sort of n pairs, with as many at `spare`; returns where the result is. */
static pair *merge_sort(pair *a, pair *spare, size_t n)
{
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;
            for (size_t i = lo, j = mid, k = lo; k < hi; k++)
                spare[k] = i < mid && (j >= hi || a[i].key <= a[j].key) ? a[i++] : a[j++];
        }
        pair *t = a;
        a = spare;
        spare = t;
    }
    return a;
}

int cpu_eval_sort(node *n)
{
    const node *x = n->inputs[0];
    int axis = ((const prim_axis *)n->params)->axis;
    size_t length = (size_t)n->shape[axis], itemsize = node_itemsize(x);
    buffer *temp = NULL;
    const char *data = walk_dense(x, &temp);
    pair *pairs = mem_alloc(2 * length + 1, sizeof *pairs);
    int rc = data && pairs ? node_allocate(n) : -1;
    size_t inner = (size_t)n->strides[axis], rows = length ? n->size / length : 0;
    for (size_t r = 0; rc == 0 && r < rows; r++) {
        size_t base = r / inner * inner * length + r % inner;
        for (size_t i = 0; i < length; i++)
            pairs[i] = (pair){key_of(data + (base + i * inner) * itemsize, (mlx_dtype)x->dtype), (uint32_t)i};
        const pair *sorted = merge_sort(pairs, pairs + length, length);
        for (size_t i = 0; i < length; i++) {
            size_t to = base + i * inner;
            if (n->prim == PRIM_ArgSort)
                ((uint32_t *)n->data)[to] = sorted[i].at;
            else
                memcpy(n->data + to * itemsize, data + (base + sorted[i].at * inner) * itemsize, itemsize);
        }
    }
    mem_free(pairs);
    buffer_release(temp);
    return rc;
}
