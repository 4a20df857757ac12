/* Arrays as text, in MLX's form: brackets an axis, rows below each other, the middle of an axis of more than
 * 2 * EDGE entries left out; floats with six significant digits, as C++ streams write them. */
#include "ops/print.h"

#include "array/node.h"
#include "kernels/half.h"

#include <complex.h>
#include <inttypes.h>

enum { EDGE = 3, MARGIN = 7 }; /* "array([" */

static void print_complex(strbuf *out, float _Complex v)
{
    strbuf_addf(out, "%g%s%gj", (double)crealf(v), cimagf(v) >= 0 ? "+" : "", (double)cimagf(v));
}

static void print_element(strbuf *out, const void *p, mlx_dtype dtype)
{
    switch (dtype) {
    case MLX_BOOL:
        strbuf_adds(out, *(const uint8_t *)p ? "true" : "false");
        break;
    case MLX_UINT8:
        strbuf_addf(out, "%u", *(const uint8_t *)p);
        break;
    case MLX_UINT16:
        strbuf_addf(out, "%u", *(const uint16_t *)p);
        break;
    case MLX_UINT32:
        strbuf_addf(out, "%" PRIu32, *(const uint32_t *)p);
        break;
    case MLX_UINT64:
        strbuf_addf(out, "%" PRIu64, *(const uint64_t *)p);
        break;
    case MLX_INT8:
        strbuf_addf(out, "%d", *(const int8_t *)p);
        break;
    case MLX_INT16:
        strbuf_addf(out, "%d", *(const int16_t *)p);
        break;
    case MLX_INT32:
        strbuf_addf(out, "%" PRId32, *(const int32_t *)p);
        break;
    case MLX_INT64:
        strbuf_addf(out, "%" PRId64, *(const int64_t *)p);
        break;
    case MLX_FLOAT16:
        strbuf_addf(out, "%g", (double)f16_to_f32(*(const uint16_t *)p));
        break;
    case MLX_BFLOAT16:
        strbuf_addf(out, "%g", (double)bf16_to_f32(*(const uint16_t *)p));
        break;
    case MLX_FLOAT32:
        strbuf_addf(out, "%g", (double)*(const float *)p);
        break;
    case MLX_FLOAT64:
        strbuf_addf(out, "%g", *(const double *)p);
        break;
    case MLX_COMPLEX64:
        print_complex(out, *(const float _Complex *)p);
        break;
    }
}

/* The part of n from p on that lies on axes `axis` and later. */
static void print_axis(strbuf *out, const node *n, int axis, const char *p)
{
    if (axis == n->ndim) {
        print_element(out, p, (mlx_dtype)n->dtype);
        return;
    }
    int64_t step = n->strides[axis] * (int64_t)node_itemsize(n);
    int size = n->shape[axis];
    bool cut = size > 2 * EDGE;
    strbuf_addc(out, '[');
    for (int i = 0; i < size; i++) {
        if (i > 0 && axis == n->ndim - 1)
            strbuf_adds(out, ", ");
        else if (i > 0)
            strbuf_addf(out, ",\n%*s", MARGIN + axis, "");
        if (cut && i == EDGE) {
            strbuf_adds(out, "...");
            i = size - EDGE - 1;
            continue;
        }
        print_axis(out, n, axis + 1, p + i * step);
    }
    strbuf_addc(out, ']');
}

int print_array(strbuf *out, mlx_array x)
{
    if (mx_eval(x))
        return -1;
    const node *n = node_of(x);
    strbuf_adds(out, "array(");
    if (n->size)
        print_axis(out, n, 0, n->data);
    else
        strbuf_adds(out, "[]");
    strbuf_addf(out, ", dtype=%s)", mx_dtype_name((mlx_dtype)n->dtype));
    return out->failed ? error_set("out of memory: the text of an array") : 0;
}
