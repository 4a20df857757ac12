/* Evaluation. */
#include "mlx/c/transforms.h"

#include "capi/capi.h"
#include "mx/stream.h"

int mlx_eval(const mlx_vector_array outputs)
{
    size_t n;
    capi_begin();
    const mlx_array *x = capi_items(outputs, &n);
    return STATUS(!x || mx_eval_all(x, n));
}

int mlx_async_eval(const mlx_vector_array outputs)
{
    size_t n;
    capi_begin();
    const mlx_array *x = capi_items(outputs, &n);
    return STATUS(!x || mx_async_eval(x, n));
}
