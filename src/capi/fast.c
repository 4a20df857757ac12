/* Fused operations. */
#include "mlx/c/fast.h"

#include "capi/capi.h"

#include <string.h>

int mlx_fast_rms_norm(mlx_array *res, const mlx_array x, const mlx_array weight, float eps,
                      const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_rms_norm(capi_in(x), weight, eps));
}

int mlx_fast_layer_norm(mlx_array *res, const mlx_array x, const mlx_array weight, const mlx_array bias,
                        float eps, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res, mx_layer_norm(capi_in(x), weight, bias, eps));
}

/* Exactly one of base and freqs is given? */
static bool one_source(mlx_optional_float base, mlx_array freqs)
{
    if (base.has_value == mx_is_null(freqs))
        return true;
    error_set("[rope] Only one of base or freqs can have a value, and one must.");
    return false;
}

int mlx_fast_rope(mlx_array *res, const mlx_array x, int dims, bool traditional, mlx_optional_float base,
                  float scale, int offset, const mlx_array freqs, const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 one_source(base, freqs)
                     ? mx_rope(capi_in(x), dims, traditional, base.value, scale, offset, freqs)
                     : MX_NULL);
}

int mlx_fast_rope_dynamic(mlx_array *res, const mlx_array x, int dims, bool traditional,
                          mlx_optional_float base, float scale, const mlx_array offset, const mlx_array freqs,
                          const mlx_stream s)
{
    size_t mark = capi_enter(s);
    return LEAVE(mark, res,
                 one_source(base, freqs) ? mx_rope_dynamic(capi_in(x), dims, traditional, base.value, scale,
                                                           capi_in(offset), freqs)
                                         : MX_NULL);
}

/* The kind of mask that a mode and an array stand for. 0, or -1 with an error. */
static int mask_kind(const char *mode, mlx_array mask, mx_mask *kind)
{
    bool causal = capi_text(mode, "mask_mode") && strcmp(mode, "causal") == 0;
    if (!mode)
        return -1;
    if (!causal && *mode && strcmp(mode, "array") != 0)
        return error_set(
            "[scaled_dot_product_attention] Invalid mask_mode %s: it is none of causal, array and \"\"",
            mode);
    if (causal && !mx_is_null(mask))
        return error_set(
            "[scaled_dot_product_attention] Invalid mask_arr for mask_mode causal: there must be none");
    if (strcmp(mode, "array") == 0 && mx_is_null(mask))
        return error_set(
            "[scaled_dot_product_attention] Invalid mask_arr for mask_mode array: there is none");
    *kind = causal ? MX_MASK_CAUSAL : mx_is_null(mask) ? MX_MASK_NONE : MX_MASK_ARRAY;
    return 0;
}

/* Newer interfaces can ask for the fused kernel; here every call runs it. */
#if MLX_C_ABI >= MLX_C_ABI_FORCE_FUSED
#define FORCE_FUSED     , bool force_fused
#define USE_FORCE_FUSED (void)force_fused
#else
#define FORCE_FUSED
#define USE_FORCE_FUSED (void)0
#endif

int mlx_fast_scaled_dot_product_attention(mlx_array *res, const mlx_array queries, const mlx_array keys,
                                          const mlx_array values, float scale, const char *mask_mode,
                                          const mlx_array mask_arr, const mlx_array sinks FORCE_FUSED,
                                          const mlx_stream s)
{
    mx_mask kind = MX_MASK_NONE;
    USE_FORCE_FUSED;
    size_t mark = capi_enter(s);
    mlx_array q = capi_in(queries), k = capi_in(keys), v = capi_in(values);
    bool fine =
        !mx_is_null(q) && !mx_is_null(k) && !mx_is_null(v) && mask_kind(mask_mode, mask_arr, &kind) == 0;
    return LEAVE(mark, res,
                 fine ? mx_scaled_dot_product_attention_sinks(q, k, v, scale, kind, mask_arr, sinks)
                      : MX_NULL);
}
