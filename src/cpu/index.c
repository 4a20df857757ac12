/* Reading index arrays; see index.h. An index out of bounds is an error of the evaluation, never a wild
 * access: MLX leaves it undefined. */
#include "cpu/index.h"

#include "base/error.h"
#include "cpu/walk.h"

#include <stdatomic.h>
#include <string.h>

/* One loop a dtype. What int64 does not hold is out of bounds anyway, and not negative. */
static void load(mlx_dtype dtype, const char *p, int64_t stride, size_t n, int64_t *out)
{
    switch (dtype) {
#define LOAD(DTYPE, T, value)                       \
    case DTYPE: {                                   \
        const T *x = (const T *)p;                  \
        for (size_t i = 0; i < n; i++, x += stride) \
            out[i] = (value);                       \
        break;                                      \
    }
        LOAD(MLX_UINT8, uint8_t, *x)
        LOAD(MLX_UINT16, uint16_t, *x)
        LOAD(MLX_UINT32, uint32_t, *x)
        LOAD(MLX_UINT64, uint64_t, *x > INT64_MAX ? INT64_MAX : (int64_t)*x)
        LOAD(MLX_INT8, int8_t, *x)
        LOAD(MLX_INT16, int16_t, *x)
        LOAD(MLX_INT32, int32_t, *x)
        LOAD(MLX_INT64, int64_t, *x)
#undef LOAD
    default:
        memset(out, 0, n * sizeof *out);
    }
}

void index_read(index_source *s, const char *p, int64_t stride, size_t n, int64_t *out)
{
    uint64_t last = (uint64_t)(s->size - s->slice);
    bool bad = false;
    load(s->dtype, p, stride, n, out);
    for (size_t i = 0; i < n; i++) {
        out[i] += out[i] < 0 ? s->size : 0;
        bad |= (uint64_t)out[i] > last;
    }
    for (size_t i = 0; bad && i < n; i++)
        if ((uint64_t)out[i] > last) {
            if (!atomic_exchange(&s->failed, true))
                s->culprit = out[i] < 0 ? out[i] - s->size : out[i];
            out[i] = 0;
        }
}

int index_failure(const index_source *s, const node *n)
{
    if (!atomic_load(&s->failed))
        return 0;
    if (s->slice != 1)
        return error_set("[%s] a slice of %d at index %lld is out of bounds for axis %d with size %d",
                         prim_table[n->prim].name, s->slice, (long long)s->culprit, s->axis, s->size);
    return error_set("[%s] index %lld is out of bounds for axis %d with size %d", prim_table[n->prim].name,
                     (long long)s->culprit, s->axis, s->size);
}

static void check_row(const void *context, char *const *p, const int64_t *strides, size_t n)
{
    index_source *const *s = context;
    int64_t block[INDEX_BLOCK];
    size_t itemsize = mx_dtype_size((*s)->dtype);
    for (size_t i = 0, m; i < n; i += m) {
        m = n - i < INDEX_BLOCK ? n - i : INDEX_BLOCK;
        index_read(*s, p[0] + (int64_t)i * strides[0] * (int64_t)itemsize, strides[0], m, block);
    }
}

int index_check(const node *n, const node *indices, int axis, int size)
{
    index_source source = {.dtype = (mlx_dtype)indices->dtype, .axis = axis, .size = size, .slice = 1},
                 *s = &source;
    walk w;
    walk_init(&w, indices->shape, indices->ndim);
    walk_add(&w, indices);
    walk_run(&w, check_row, &s);
    return index_failure(s, n);
}

typedef struct offset_row_context {
    index_source *source;
    int64_t step; /* of the indexed axis */
} offset_row_context;

/* p[0]: offsets, to which those of the indices p[1] are added */
static void offset_row(const void *context, char *const *p, const int64_t *strides, size_t n)
{
    const offset_row_context *c = context;
    int64_t *out = (int64_t *)p[0], block[INDEX_BLOCK];
    int64_t itemsize = (int64_t)mx_dtype_size(c->source->dtype);
    for (size_t i = 0, m; i < n; i += m) {
        m = n - i < INDEX_BLOCK ? n - i : INDEX_BLOCK;
        index_read(c->source, p[1] + (int64_t)i * strides[1] * itemsize, strides[1], m, block);
        for (size_t k = 0; k < m; k++)
            out[(int64_t)(i + k) * strides[0]] += block[k] * c->step;
    }
}

const int64_t *index_offsets(const node *n, const node *target, const int *shape, int ndim, size_t places,
                             buffer **temp)
{
    const prim_gather *p = n->params;
    int64_t dense[MX_MAX_DIMS], step = 1;
    *temp = buffer_new(places * sizeof(int64_t));
    if (!*temp)
        return NULL;
    memset((*temp)->data, 0, places * sizeof(int64_t));
    for (int i = ndim - 1; i >= 0; i--) {
        dense[i] = step;
        step *= shape[i];
    }
    for (int32_t a = 0; a < p->count; a++) {
        const node *indices = n->inputs[1 + a];
        int axis = p->list[a];
        index_source source = {.dtype = (mlx_dtype)indices->dtype,
                               .axis = axis,
                               .size = target->shape[axis],
                               .slice = p->list[p->count + axis]};
        offset_row_context c = {&source, target->strides[axis]};
        walk w;
        walk_init(&w, shape, ndim);
        walk_add_strided(&w, (*temp)->data, dense, sizeof(int64_t));
        walk_add(&w, indices);
        walk_run(&w, offset_row, &c);
        if (index_failure(&source, n))
            return NULL;
    }
    return (const int64_t *)(*temp)->data;
}
