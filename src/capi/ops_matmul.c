/* Matrix products, convolutions, quantization. */
#include "capi/capi.h"
#include "mlx/c/ops.h"

/* BINARY(name): mlx_<name> is mx_<name> of two arrays. */
#define BINARY(name)                                                                         \
    int mlx_##name(mlx_array *res, const mlx_array a, const mlx_array b, const mlx_stream s) \
    {                                                                                        \
        size_t mark = capi_enter(s);                                                         \
        return LEAVE(mark, res, mx_##name(capi_in(a), capi_in(b)));                          \
    }

BINARY(matmul)
