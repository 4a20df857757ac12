/* Views: primitives whose result looks into its input's buffer. They cost no kernel and no memory, on any
 * device. */
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
    int axis = ((const prim_axis *)n->params)->axis;
    for (int i = 0, k = 0; i < n->ndim; i++)
        strides[i] = i == axis ? 1 : in->strides[k++];
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
    case PRIM_Item:
        in = in->outputs[((const prim_item *)n->params)->index];
        memcpy(strides, in->strides, n->ndim * sizeof *strides);
        break;
    case PRIM_Copy:
    case PRIM_StopGradient:
        memcpy(strides, in->strides, n->ndim * sizeof *strides);
        break;
    default:
        return false;
    }
    node_view(n, in, in->data + offset * (int64_t)node_itemsize(in), strides);
    return true;
}
