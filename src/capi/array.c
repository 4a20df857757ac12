/* Handles of arrays: making, sharing and freeing them, and what an array tells about itself.
 *
 * ctx is the graph's node, and a handle one of its references. */
#include "capi/capi.h"

#include "array/node.h"
#include "base/mem.h"
#include "ops/print.h"

#include <string.h>

mlx_array mlx_array_new(void) { return MX_NULL; }

int mlx_array_free(mlx_array arr)
{
    node_release(node_of(arr));
    return 0;
}

int mlx_array_set(mlx_array *arr, const mlx_array src)
{
    size_t mark = capi_begin();
    return LEAVE(mark, arr, capi_in(src));
}

/* mx_from for parameters as they come from outside. */
static mlx_array from(const void *data, const int *shape, int dim, mlx_dtype dtype)
{
    bool empty = false;
    if (dim < 0 || (dim && !shape) || (unsigned)dtype >= MX_DTYPES) {
        error_set("[array] %d dimensions of dtype %d are no array", dim, (int)dtype);
        return MX_NULL;
    }
    for (int i = 0; i < dim; i++)
        empty = empty || shape[i] == 0;
    if (!data && !empty) {
        error_set("[array] there is no data");
        return MX_NULL;
    }
    return mx_from(data, shape, (size_t)dim, dtype);
}

int mlx_array_set_data(mlx_array *arr, const void *data, const int *shape, int dim, mlx_dtype dtype)
{
    size_t mark = capi_begin();
    return LEAVE(mark, arr, from(data, shape, dim, dtype));
}

mlx_array mlx_array_new_data(const void *data, const int *shape, int dim, mlx_dtype dtype)
{
    mlx_array arr = MX_NULL;
    mlx_array_set_data(&arr, data, shape, dim, dtype);
    return arr;
}

/* SCALAR(name, type, dtype): mlx_array_set_<name> and mlx_array_new_<name>. */
#define SCALAR(name, type, dtype)                             \
    int mlx_array_set_##name(mlx_array *arr, type val)        \
    {                                                         \
        return mlx_array_set_data(arr, &val, NULL, 0, dtype); \
    }                                                         \
    mlx_array mlx_array_new_##name(type val) { return mlx_array_new_data(&val, NULL, 0, dtype); }
SCALAR(bool, bool, MLX_BOOL)
SCALAR(int, int, MLX_INT32)
SCALAR(float32, float, MLX_FLOAT32)
SCALAR(float, float, MLX_FLOAT32)
SCALAR(float64, double, MLX_FLOAT64)
SCALAR(double, double, MLX_FLOAT64)

int mlx_array_set_complex(mlx_array *arr, float real_val, float imag_val)
{
    return mlx_array_set_data(arr, (float[]){real_val, imag_val}, NULL, 0, MLX_COMPLEX64);
}

mlx_array mlx_array_new_complex(float real_val, float imag_val)
{
    return mlx_array_new_data((float[]){real_val, imag_val}, NULL, 0, MLX_COMPLEX64);
}

/* --- memory of the caller's --- */

typedef struct managed {
    void *payload;
    void (*dtor)(void *);
} managed;

static void managed_release(void *owner)
{
    managed *m = owner;
    if (m->dtor)
        m->dtor(m->payload);
    mem_free(m);
}

/* A node over the caller's memory. m passes over, also when this fails. */
static mlx_array wrap(void *data, const int *shape, int dim, mlx_dtype dtype, managed *m)
{
    mlx_array like = from(data, shape, dim, dtype); /* checks, and serves where elements are not aligned */
    if (mx_is_null(like) || (uintptr_t)data % mx_dtype_size(dtype) || mx_size(like) == 0) {
        managed_release(m);
        return like;
    }
    buffer *b = buffer_wrap(data, node_bytes(node_of(like)), managed_release, m);
    return node_temp(node_from_buffer(b, data, shape, dim, dtype));
}

mlx_array mlx_array_new_data_managed_payload(void *data, const int *shape, int dim, mlx_dtype dtype,
                                             void *payload, void (*dtor)(void *))
{
    size_t mark = capi_begin();
    mlx_array arr = MX_NULL;
    managed *m = mem_alloc(1, sizeof *m);
    if (m)
        *m = (managed){payload, dtor};
    else if (dtor)
        dtor(payload);
    LEAVE(mark, &arr, m ? wrap(data, shape, dim, dtype, m) : MX_NULL);
    return arr;
}

mlx_array mlx_array_new_data_managed(void *data, const int *shape, int dim, mlx_dtype dtype,
                                     void (*dtor)(void *))
{
    return mlx_array_new_data_managed_payload(data, shape, dim, dtype, data, dtor);
}

/* --- what an array is --- */

/* The node, or NULL with the error reported. */
static node *look_at(mlx_array arr, const char *file, int line)
{
    if (!arr.ctx) {
        capi_begin();
        capi_in(arr);
        capi_report(file, line);
    }
    return node_of(arr);
}
#define LOOK_AT(arr) look_at(arr, HERE)

size_t mlx_array_itemsize(const mlx_array arr)
{
    const node *n = LOOK_AT(arr);
    return n ? node_itemsize(n) : 0;
}

size_t mlx_array_size(const mlx_array arr)
{
    const node *n = LOOK_AT(arr);
    return n ? n->size : 0;
}

size_t mlx_array_nbytes(const mlx_array arr)
{
    const node *n = LOOK_AT(arr);
    return n ? node_bytes(n) : 0;
}

size_t mlx_array_ndim(const mlx_array arr)
{
    const node *n = LOOK_AT(arr);
    return n ? n->ndim : 0;
}

const int *mlx_array_shape(const mlx_array arr)
{
    const node *n = LOOK_AT(arr);
    return n ? n->shape : NULL;
}

const size_t *mlx_array_strides(const mlx_array arr)
{
    const node *n = LOOK_AT(arr);
    return n ? (const size_t *)n->strides : NULL;
}

int mlx_array_dim(const mlx_array arr, int dim)
{
    capi_begin();
    int size = mx_dim(capi_in(arr), dim);
    if (error_pending())
        REPORT();
    return size;
}

mlx_dtype mlx_array_dtype(const mlx_array arr)
{
    const node *n = LOOK_AT(arr);
    return n ? (mlx_dtype)n->dtype : MLX_BOOL;
}

size_t mlx_dtype_size(mlx_dtype dtype)
{
    capi_begin();
    if ((unsigned)dtype < MX_DTYPES)
        return mx_dtype_size(dtype);
    capi_dtype(dtype);
    REPORT();
    return 0;
}

int mlx_array_tostring(mlx_string *str, const mlx_array arr)
{
    capi_begin();
    strbuf text = {0};
    int rc = mx_is_null(capi_in(arr)) || print_array(&text, arr) || capi_set_text(str, strbuf_text(&text));
    strbuf_free(&text);
    return STATUS(rc);
}

/* --- evaluation and the elements --- */

int mlx_array_eval(mlx_array arr)
{
    capi_begin();
    return STATUS(mx_is_null(capi_in(arr)) || mx_eval(arr));
}

/* Copies the first bytes of the only element of arr: `size`, or as many as it has, the others are 0. 0 or -1.
 */
static int read_element(mlx_array arr, void *out, size_t size)
{
    if (mx_is_null(capi_in(arr)))
        return -1;
    if (mx_size(arr) != 1)
        return error_set("[item] item can only be called on arrays of size 1, this one has %zu elements",
                         mx_size(arr));
    if (mx_eval(arr))
        return -1;
    size_t has = node_itemsize(node_of(arr));
    memset(out, 0, size);
    memcpy(out, mx_data(arr), has < size ? has : size);
    return 0;
}

/* ELEMENT(name, type): mlx_array_item_<name> and mlx_array_data_<name>. */
#define ELEMENT(name, type)                                   \
    int mlx_array_item_##name(type *res, const mlx_array arr) \
    {                                                         \
        capi_begin();                                         \
        return STATUS(read_element(arr, res, sizeof *res));   \
    }                                                         \
    const type *mlx_array_data_##name(const mlx_array arr) { return mx_data((mlx_array){LOOK_AT(arr)}); }
ELEMENT(bool, bool)
ELEMENT(uint8, uint8_t)
ELEMENT(uint16, uint16_t)
ELEMENT(uint32, uint32_t)
ELEMENT(uint64, uint64_t)
ELEMENT(int8, int8_t)
ELEMENT(int16, int16_t)
ELEMENT(int32, int32_t)
ELEMENT(int64, int64_t)
ELEMENT(float32, float)
ELEMENT(float64, double)
ELEMENT(complex64, mlx_complex64_t)
#ifdef HAS_FLOAT16
ELEMENT(float16, float16_t)
#endif
#ifdef HAS_BFLOAT16
ELEMENT(bfloat16, bfloat16_t)
#endif

/* --- the state of evaluation and the layout --- */

int _mlx_array_is_available(bool *res, const mlx_array arr)
{
    const node *n = LOOK_AT(arr);
    if (n)
        *res = node_status(n) == NODE_READY;
    return !n;
}

/* What was not started is not waited for. */
int _mlx_array_wait(const mlx_array arr)
{
    capi_begin();
    if (!mx_is_null(capi_in(arr)))
        mx_data(arr);
    return STATUS(error_pending());
}

/* Do the elements lie densely when axes are taken from `first` on, fastest first? Axes of size 1
 * do not matter. */
static bool is_dense(const node *n, int first, int step)
{
    int64_t expected = 1;
    for (int i = 0, axis = first; i < n->ndim; i++, axis += step) {
        if (n->shape[axis] != 1 && n->strides[axis] != expected)
            return false;
        expected *= n->shape[axis];
    }
    return true;
}

/* Do they in some order? Axes that repeat an element (stride 0) add none. */
static bool is_dense_somehow(const node *n)
{
    bool used[MX_MAX_DIMS] = {0};
    int64_t expected = 1;
    for (int found = 0; found < n->ndim; found++) {
        int next = -1;
        for (int i = 0; i < n->ndim && next < 0; i++)
            if (!used[i] && (n->shape[i] == 1 || n->strides[i] == 0 || n->strides[i] == expected))
                next = i;
        if (next < 0)
            return false;
        used[next] = true;
        if (n->shape[next] != 1 && n->strides[next] != 0)
            expected *= n->shape[next];
    }
    return true;
}

int _mlx_array_is_contiguous(bool *res, const mlx_array arr)
{
    const node *n = LOOK_AT(arr);
    if (n)
        *res = n->size == 0 || is_dense_somehow(n);
    return !n;
}

int _mlx_array_is_row_contiguous(bool *res, const mlx_array arr)
{
    const node *n = LOOK_AT(arr);
    if (n)
        *res = n->size == 0 || is_dense(n, n->ndim - 1, -1);
    return !n;
}

int _mlx_array_is_col_contiguous(bool *res, const mlx_array arr)
{
    const node *n = LOOK_AT(arr);
    if (n)
        *res = n->size == 0 || is_dense(n, 0, 1);
    return !n;
}
