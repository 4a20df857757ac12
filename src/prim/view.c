/* Views: primitives whose result looks into its input's buffer. They cost no kernel and no memory, on any
 * device. Those that prim.def marks always do; the others (Reshape, View, ...) do if the input's strides
 * allow it, which they always do once a back end has put a dense copy in the input's place. */
#include "prim/prim.h"

#include <string.h>

static void view_broadcast(node *n, const node *in, int64_t *strides)
{
    for (int i = 1; i <= n->ndim; i++)
        strides[n->ndim - i] = i <= in->ndim && in->shape[in->ndim - i] != 1 ? in->strides[in->ndim - i] : 0;
}

static void view_transpose(node *n, const node *in, int64_t *strides)
{
    const int32_t *axes = n->params;
    for (int i = 0; i < n->ndim; i++)
        strides[i] = in->strides[axes[i]];
}

static void view_expand_dims(node *n, const node *in, int64_t *strides)
{
    uint32_t axes = ((const prim_expand_dims *)n->params)->axes;
    for (int i = 0, k = 0; i < n->ndim; i++)
        strides[i] = axes >> i & 1 ? 1 : in->strides[k++];
}

static void view_squeeze(node *n, const node *in, int64_t *strides)
{
    uint32_t axes = ((const prim_squeeze *)n->params)->axes;
    for (int i = 0, k = 0; i < in->ndim; i++)
        if (!(axes >> i & 1))
            strides[k++] = in->strides[i];
}

static int64_t view_slice(node *n, const node *in, int64_t *strides)
{
    const prim_range *r = n->params;
    int64_t offset = 0;
    for (int i = 0; i < n->ndim; i++) {
        offset += r[i].start * in->strides[i];
        strides[i] = r[i].stride * in->strides[i];
    }
    return n->size ? offset : 0;
}

static int64_t view_diagonal(node *n, const node *in, int64_t *strides)
{
    const prim_diagonal *p = n->params;
    int64_t down = p->offset < 0 ? -(int64_t)p->offset : 0, right = p->offset > 0 ? p->offset : 0;
    int k = 0;
    for (int i = 0; i < in->ndim; i++)
        if (i != p->axis1 && i != p->axis2)
            strides[k++] = in->strides[i];
    strides[k] = in->strides[p->axis1] + in->strides[p->axis2];
    return n->size ? down * in->strides[p->axis1] + right * in->strides[p->axis2] : 0;
}

static int64_t view_as_strided(node *n, int64_t *strides)
{
    const prim_as_strided *p = n->params;
    for (int i = 0; i < n->ndim; i++) /* that of a single entry means nothing and may be anything */
        strides[i] = n->size && n->shape[i] != 1 ? p->axes[i].stride : n->strides[i];
    return n->size ? p->offset : 0;
}

static bool is_row_major(const node *n) { return node_flags(n) & NODE_ROW_CONTIGUOUS; }

/* Are the strides those of the reversed axes, row-major? */
static bool is_column_major(const node *n)
{
    int64_t expected = 1;
    for (int i = 0; i < n->ndim; i++) {
        if (n->shape[i] != 1 && n->strides[i] != expected)
            return false;
        expected *= n->shape[i];
    }
    return true;
}

/* What lies dense already is shared, unless that would keep a much larger buffer alive (MLX's rule). */
static bool view_contiguous(const node *n, const node *in, int64_t *strides)
{
    const prim_contiguous *p = n->params;
    memcpy(strides, is_row_major(in) ? n->strides : in->strides, n->ndim * sizeof *strides);
    bool small = in->buf->release || in->buf->size <= node_bytes(n) + 16384;
    return small && (is_row_major(in) || (p->allow_col_major && is_column_major(in)));
}

/* The next run of in's axes, from axis *i downwards, that are crossed evenly; its size, and its stride in
 * *stride. */
static int64_t run_of_axes(const node *in, int *i, int64_t *stride)
{
    while (*i >= 0 && in->shape[*i] == 1)
        --*i;
    if (*i < 0)
        return 1;
    int64_t size = in->shape[*i];
    *stride = in->strides[*i];
    for (--*i; *i >= 0; --*i) {
        if (in->shape[*i] != 1 && in->strides[*i] != *stride * size)
            break;
        size *= in->shape[*i];
    }
    return size;
}

/* Each new axis must lie within a run of old ones. */
static bool view_reshape(const node *n, const node *in, int64_t *strides)
{
    memcpy(strides, n->strides, n->ndim * sizeof *strides);
    if (is_row_major(in))
        return true;
    int64_t rest = 1, stride = 1;
    for (int i = in->ndim - 1, k = n->ndim - 1; k >= 0; k--) {
        if (n->shape[k] != 1 && rest == 1)
            rest = run_of_axes(in, &i, &stride);
        if (rest % n->shape[k] != 0)
            return false;
        strides[k] = stride;
        stride *= n->shape[k];
        rest /= n->shape[k];
    }
    return true;
}

/* Elements of another size: of the last axis if they are smaller, of all if they are larger. */
static bool view_bytes(const node *n, const node *in, int64_t *strides)
{
    int64_t from = (int64_t)node_itemsize(in), to = (int64_t)node_itemsize(n);
    int last = n->ndim - 1;
    memcpy(strides, n->strides, n->ndim * sizeof *strides);
    if (is_row_major(in))
        return from >= to || (uintptr_t)in->data % (uintptr_t)to == 0;
    for (int i = 0; i < n->ndim; i++)
        strides[i] = from == to || i < last ? in->strides[i] * from / to : 1;
    return from == to || (from > to && in->strides[last] == 1);
}

/* Each result is one of the inputs. */
static void view_outputs(const node *n)
{
    const prim_like *p = n->params;
    for (int i = 0; i < p->count; i++) {
        const node *in = n->inputs[p->first + i];
        node_view(n->outputs[i], in, in->data, in->strides);
    }
}

bool prim_view(node *n)
{
    int64_t strides[MX_MAX_DIMS], offset = 0;
    const node *in = n->n_inputs ? n->inputs[0] : NULL;
    switch (n->prim) {
    case PRIM_Broadcast:
        view_broadcast(n, in, strides);
        break;
    case PRIM_Transpose:
        view_transpose(n, in, strides);
        break;
    case PRIM_ExpandDims:
        view_expand_dims(n, in, strides);
        break;
    case PRIM_Squeeze:
        view_squeeze(n, in, strides);
        break;
    case PRIM_Slice:
        offset = view_slice(n, in, strides);
        break;
    case PRIM_Diagonal:
        offset = view_diagonal(n, in, strides);
        break;
    case PRIM_Contiguous:
        if (!view_contiguous(n, in, strides))
            return false;
        break;
    case PRIM_Reshape:
    case PRIM_Flatten:
    case PRIM_Unflatten:
        if (!view_reshape(n, in, strides))
            return false;
        break;
    case PRIM_View:
        if (!view_bytes(n, in, strides))
            return false;
        break;
    case PRIM_AsStrided:
        if (!is_row_major(in))
            return false;
        offset = view_as_strided(n, strides);
        break;
    case PRIM_Item:
        in = in->outputs[((const prim_item *)n->params)->index];
        memcpy(strides, in->strides, n->ndim * sizeof *strides);
        break;
    case PRIM_CustomTransforms:
        view_outputs(n);
        return true;
    case PRIM_Copy:
    case PRIM_StopGradient:
    case PRIM_Depends:
    case PRIM_QQMatmul:
        memcpy(strides, in->strides, n->ndim * sizeof *strides);
        break;
    default:
        return false;
    }
    node_view(n, in, in->data + offset * (int64_t)node_itemsize(in), strides);
    return true;
}
