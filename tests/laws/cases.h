/* The cases that laws are checked on: each builds one expression from inputs that the harness makes, in
 * whatever layout and dtype it wants to try. Every row of prim.def is reached by at least one. */
#ifndef MICA_TESTS_LAWS_CASES_H
#define MICA_TESTS_LAWS_CASES_H

#include "test.h"

#include "array/dtype.h"
#include "array/source.h"
#include "io/stream.h"
#include "prim/prim.h"

#include <math.h>

enum { MAX_INPUTS = 3, MAX_SIZE = 65536 };

typedef struct input {
    mlx_dtype dtype;
    int ndim, shape[5];
    float lo, hi; /* of its values */
} input;

typedef struct law {
    const char *name;
    mlx_array (*build)(const mlx_array *x);
    int n_inputs;
    unsigned skip; /* laws that do not apply */
    input in[MAX_INPUTS];
} law;
enum {
    SKIP_HALVES = 1,
    SKIP_EMPTY = 2,
    SKIP_GRADIENT = 4, /* by design it is not the slope */
    SINGLE = 8,        /* has no float64 kernel */
    COMPOSED = 16,     /* in float64 it is made of other operations */
    SKIP_EXPORT = 32,  /* not for files */
};

#define F(...)                          \
    {                                   \
        MLX_FLOAT32, __VA_ARGS__, -2, 2 \
    }
#define P(...)                            \
    {                                     \
        MLX_FLOAT32, __VA_ARGS__, 0.1f, 3 \
    }

/* Away from 0, where slopes change fast. */
#define Q(...)                            \
    {                                     \
        MLX_FLOAT32, __VA_ARGS__, 0.5f, 3 \
    }

/* What functions of each kind are given for the inputs. */
static mlx_array as_given(mlx_array x) { return x; }
static mlx_array as_integer(mlx_array x) { return mx_astype(x, MLX_INT32); }
static mlx_array as_complex(mlx_array x)
{
    return mx_multiply(x, mx_from((float[]){0.8f, 0.5f}, NULL, 0, MLX_COMPLEX64));
}
/* One real number of each complex one, so that it takes part in comparisons. */
static mlx_array as_real(mlx_array x)
{
    return mx_add(mx_real(x), mx_multiply(mx_imag(x), mx_float(2, MLX_FLOAT32)));
}
/* Inputs where the function is defined. */
static mlx_array in_domain(const char *name, mlx_array x)
{
    return strcmp(name, "arccosh") ? x : mx_add(x, mx_ones(NULL, 0, mx_dtype_of(x)));
}
#define GIVEN_ANY     as_given
#define GIVEN_FLOAT   as_given
#define GIVEN_BOOLEAN as_given
#define GIVEN_INTEGER as_integer
#define GIVEN_SIZE    as_given
#define GIVEN_PART    as_complex
#define GIVEN_TURN    as_complex
#define GIVEN_SAME    as_given
#define GIVEN_COMPARE as_given
#define GIVEN_LOGICAL as_given
#define GIVEN_WHOLE   as_integer
#define GIVEN_BITS    as_integer
#define GIVEN_SHIFT   as_integer
#define UNARY(name, Prim, kind, ...)                                     \
    static mlx_array u_##name(const mlx_array *x)                        \
    {                                                                    \
        return as_real(mx_##name(GIVEN_##kind(in_domain(#name, x[0])))); \
    }
#include "mx_unary.def"
#undef UNARY
#define BINARY(name, Prim, kind, ...)                             \
    static mlx_array b_##name(const mlx_array *x)                 \
    {                                                             \
        return mx_##name(GIVEN_##kind(x[0]), GIVEN_##kind(x[1])); \
    }
#include "mx_binary.def"
#undef BINARY

/* Functions of complex numbers, which have a derivative where they are smooth. */
#define FUNCTION_REAL(name, vjp)
#define FUNCTION_COMPLEX(name, vjp) \
    static mlx_array z_##name(const mlx_array *x) { return as_real(mx_##name(as_complex(x[0]))); }
#define UNARY(name, Prim, kind, domain, vjp, ...) FUNCTION_##domain(name, vjp)
#include "mx_unary.def"
#undef UNARY
#undef FUNCTION_COMPLEX
#define COMPLEX_BINARY(F) F(add) F(subtract) F(multiply) F(divide) F(power) F(logaddexp)
#define FUNCTION(name)                                                 \
    static mlx_array z_##name(const mlx_array *x)                      \
    {                                                                  \
        return as_real(mx_##name(as_complex(x[0]), as_complex(x[1]))); \
    }
COMPLEX_BINARY(FUNCTION)
#undef FUNCTION

static mlx_array where_(const mlx_array *x) { return mx_where(mx_greater(x[0], x[1]), x[1], x[2]); }
static mlx_array astype(const mlx_array *x) { return mx_astype(mx_astype(x[0], MLX_INT32), MLX_FLOAT32); }
static mlx_array contiguous(const mlx_array *x) { return mx_contiguous(mx_swapaxes(x[0], 0, 1)); }
static mlx_array astype_up(const mlx_array *x) { return mx_square(mx_astype(x[0], MLX_FLOAT64)); }
static mlx_array copy(const mlx_array *x) { return mx_copy(mx_swapaxes(x[0], 1, 2)); }
static mlx_array stop_gradient(const mlx_array *x) { return mx_multiply(x[0], mx_stop_gradient(x[0])); }
static mlx_array full(const mlx_array *x)
{
    return mx_full(SHAPE(3, 4, 5), mx_slice_axis(x[0], -1, 0, 1), mx_dtype_of(x[0]));
}
/* By numbers from a file in memory, with the bytes of each in the other order. */
static mlx_array loaded(const mlx_array *x)
{
    buffer *b = buffer_new(1 + 5 * sizeof(float));
    node *file = NULL;
    for (int i = 0; b && i < 5; i++)
        memcpy(b->data + 1 + 4 * i, (const unsigned char[]){0x3f, (unsigned char)(0x80 + 16 * i), 0, 0}, 4);
    if (b)
        file = source_of_buffer("a file", b);
    mlx_array y = file ? source_array(file, 1, SHAPE(5), MLX_FLOAT32, true) : MX_NULL;
    if (file)
        node_release(file);
    return mx_multiply(x[0], mx_astype(y, mx_dtype_of(x[0])));
}

static mlx_array arange(const mlx_array *x)
{
    return mx_multiply(x[0], mx_arange(-3, 4, 1.4, mx_dtype_of(x[0])));
}
static mlx_array broadcast(const mlx_array *x) { return mx_broadcast_to(x[0], SHAPE(2, 3, 4, 5)); }
static mlx_array transpose(const mlx_array *x) { return mx_transpose(x[0], SHAPE(2, 0, 1)); }
static mlx_array dims(const mlx_array *x)
{
    return mx_squeeze(mx_expand_dims(mx_expand_dims(x[0], 1), -1), 1);
}
static mlx_array slice(const mlx_array *x)
{
    return mx_slice(x[0], (int[]){0, -1, 1}, (int[]){3, -100, 5}, (int[]){2, -2, 1});
}
static mlx_array reshape(const mlx_array *x) { return mx_reshape(mx_swapaxes(x[0], 0, 2), SHAPE(4, -1)); }
static mlx_array slice_update(const mlx_array *x)
{
    return mx_slice_update(x[0], x[1], (int[]){0, 1, 0}, (int[]){3, 4, 5}, (int[]){1, 2, 2});
}
static mlx_array concatenate(const mlx_array *x) { return mx_concatenate(x, 3, 1); }
static mlx_array take(const mlx_array *x) { return mx_take(x[0], x[1], 1); }
static mlx_array take_along(const mlx_array *x) { return mx_take_along_axis(x[0], x[1], 1); }
static mlx_array take_one(const mlx_array *x)
{
    return mx_take(x[0], mx_squeeze(mx_slice_axis(x[1], 0, 0, 1), 0), -1);
}
static mlx_array scatter_add(const mlx_array *x) { return mx_scatter_add(x[0], x + 2, 1, x[1], (int[]){1}); }
static mlx_array scatter_add2(const mlx_array *x)
{
    mlx_array indices[2] = {x[2], mx_squeeze(mx_slice_axis(x[2], 0, 0, 1), 0)};
    return mx_scatter_add(x[0], indices, 2, x[1], (int[]){2, 1});
}
static mlx_array scatter_add_axis(const mlx_array *x) { return mx_scatter_add_axis(x[0], x[2], x[1], 1); }
/* Places that differ: of updates that overwrite each other none but the last has a slope. */
static mlx_array places(void) { return mx_from((int[]){3, 0, -2}, SHAPE(3), MLX_INT32); }
static mlx_array scatter(const mlx_array *x)
{
    mlx_array i = places();
    return mx_scatter(x[0], &i, 1, x[1], (int[]){1});
}
static mlx_array scatter_prod(const mlx_array *x)
{
    return mx_scatter_prod(x[0], x + 2, 1, x[1], (int[]){1});
}
static mlx_array scatter_max(const mlx_array *x) { return mx_scatter_max(x[0], x + 2, 1, x[1], (int[]){1}); }
static mlx_array scatter_min(const mlx_array *x) { return mx_scatter_min(x[0], x + 2, 1, x[1], (int[]){1}); }
static mlx_array put_along(const mlx_array *x)
{
    return mx_put_along_axis(x[0], mx_reshape(places(), SHAPE(1, 3, 1)), x[1], 1);
}
static mlx_array gather(const mlx_array *x)
{
    mlx_array i[2] = {mx_slice_axis(x[1], 1, 0, 2), mx_from((int64_t[]){1, 2}, SHAPE(2), MLX_INT64)};
    return mx_gather(mx_slice_axis(x[0], 1, 0, 4), i, 2, (int[]){1, 2}, (int[]){2, 1, 3});
}
static mlx_array masked_scatter(const mlx_array *x)
{
    mlx_array mask = mx_greater(mx_sin(mx_arange(0, 12, 1, MLX_FLOAT32)), mx_float(0, MLX_FLOAT32));
    return mx_masked_scatter(x[0], mx_reshape(mask, SHAPE(3, 4)), x[1]);
}
static mlx_array masked_by_itself(const mlx_array *x)
{
    return mx_masked_scatter(x[0], mx_greater(x[0], mx_float(0.04, MLX_FLOAT32)), x[1]);
}
#define SLICE_UPDATE(name)                                                                    \
    static mlx_array name(const mlx_array *x)                                                 \
    {                                                                                         \
        return mx_##name(x[0], x[1], (int[]){2, 1, 0}, (int[]){-9, 4, 5}, (int[]){-1, 2, 2}); \
    }
SLICE_UPDATE(slice_update_add)
SLICE_UPDATE(slice_update_prod)
SLICE_UPDATE(slice_update_max)
SLICE_UPDATE(slice_update_min)
#undef SLICE_UPDATE
static mlx_array sum(const mlx_array *x) { return mx_sum(x[0], SHAPE(1), false); }
static mlx_array sum2(const mlx_array *x) { return mx_sum(x[0], SHAPE(0, 2), true); }
static mlx_array sum_all(const mlx_array *x) { return mx_sum(x[0], NULL, 0, false); }
static mlx_array prod(const mlx_array *x) { return mx_prod(x[0], SHAPE(-1), false); }
static mlx_array max(const mlx_array *x) { return mx_max(x[0], SHAPE(0), false); }
static mlx_array min(const mlx_array *x) { return mx_min(x[0], SHAPE(0, 1), false); }
static mlx_array all(const mlx_array *x)
{
    return mx_all(mx_greater(x[0], mx_float(-1, MLX_FLOAT32)), SHAPE(1), false);
}
static mlx_array any(const mlx_array *x)
{
    return mx_any(mx_greater(x[0], mx_float(1, MLX_FLOAT32)), SHAPE(1), false);
}
static mlx_array mean(const mlx_array *x) { return mx_mean(x[0], SHAPE(0, 2), false); }
static mlx_array argmax(const mlx_array *x) { return mx_argmax(x[0], 1, true); }
static mlx_array argmin(const mlx_array *x) { return mx_argmin(x[0], -1, false); }
static mlx_array prod2(const mlx_array *x) { return mx_prod(x[0], SHAPE(0, 2), false); }
static mlx_array prod_complex(const mlx_array *x)
{
    return as_real(mx_prod(as_complex(x[0]), SHAPE(1), false));
}
static mlx_array var(const mlx_array *x) { return mx_var(x[0], SHAPE(0, 2), false, 1); }
static mlx_array var_complex(const mlx_array *x)
{
    return mx_std(as_complex(mx_sin(x[0])), SHAPE(1), false, 0);
}
static mlx_array median(const mlx_array *x) { return mx_median(x[0], SHAPE(2, 0), true); }
static mlx_array logsumexp2(const mlx_array *x) { return mx_logsumexp_axes(x[0], SHAPE(2, 0), false); }
static mlx_array softmax2(const mlx_array *x) { return mx_softmax_axes(x[0], SHAPE(0, 1), true); }
static mlx_array logsumexp_complex(const mlx_array *x)
{
    return as_real(mx_logsumexp_axes(as_complex(x[0]), SHAPE(1), false));
}
static mlx_array logsumexp_double(const mlx_array *x)
{
    return mx_logsumexp_axes(mx_astype(x[0], MLX_FLOAT64), SHAPE(1, 2), false);
}
static mlx_array softmax_double(const mlx_array *x) { return mx_softmax(mx_astype(x[0], MLX_FLOAT64), 1); }
static mlx_array logsumexp(const mlx_array *x) { return mx_logsumexp(x[0], 1, false); }
static mlx_array softmax(const mlx_array *x) { return mx_softmax(x[0], -1); }
static mlx_array softmax0(const mlx_array *x) { return mx_softmax(x[0], 0); }
static mlx_array cumsum(const mlx_array *x) { return mx_cumsum(x[0], 1, false, true); }
static mlx_array cumsum_back(const mlx_array *x) { return mx_cumsum(x[0], -1, true, false); }
static mlx_array cumprod(const mlx_array *x) { return mx_cumprod(x[0], 1, false, true); }
static mlx_array cumprod_back(const mlx_array *x) { return mx_cumprod(x[0], 2, true, false); }
static mlx_array cumprod_complex(const mlx_array *x)
{
    return as_real(mx_cumprod(as_complex(x[0]), 0, false, true));
}
static mlx_array cummax(const mlx_array *x) { return mx_cummax(x[0], 1, false, true); }
static mlx_array cummax_back(const mlx_array *x) /* the first is -inf */
{
    return mx_exp(mx_cummax(x[0], 2, true, false));
}
static mlx_array cummin(const mlx_array *x) { return mx_cummin(x[0], -1, true, true); }
static mlx_array logcumsumexp(const mlx_array *x) { return mx_logcumsumexp(x[0], 1, false, true); }
static mlx_array logcumsumexp_back(const mlx_array *x)
{
    return mx_exp(mx_logcumsumexp(x[0], 2, true, false));
}
static mlx_array divmod(const mlx_array *x)
{
    mlx_array both[2];
    return mx_divmod(x[0], x[1], both) ? MX_NULL : mx_add(both[0], both[1]);
}
static mlx_array round_to(const mlx_array *x) { return mx_round_to(x[0], 1); }
static mlx_array clip(const mlx_array *x)
{
    return mx_clip(mx_degrees(x[0]), mx_float(20, mx_dtype_of(x[0])), mx_radians(mx_degrees(x[1])));
}
static mlx_array isclose(const mlx_array *x)
{
    return mx_logical_or(mx_isclose(x[0], x[1], 0.1, 0.1, false), mx_logical_not(mx_isfinite(x[0])));
}
static mlx_array sort(const mlx_array *x) { return mx_sort(x[0], 1); }
static mlx_array argsort(const mlx_array *x) { return mx_argsort(x[0], -1); }
static mlx_array partition(const mlx_array *x) { return mx_partition(x[0], 1, 1); }
static mlx_array argpartition(const mlx_array *x) { return mx_argpartition(x[0], -2, 0); }
static mlx_array topk(const mlx_array *x) { return mx_topk(x[0], 3, -1); }
static mlx_array searchsorted(const mlx_array *x)
{
    return mx_searchsorted(mx_arange(-2.013, 2, 0.517, mx_dtype_of(x[0])), x[0], true);
}
static mlx_array matmul_complex(const mlx_array *x)
{
    return as_real(mx_matmul(as_complex(x[0]), as_complex(x[1])));
}
static mlx_array matmul(const mlx_array *x) { return mx_matmul(x[0], x[1]); }
static mlx_array addmm(const mlx_array *x) { return mx_addmm(x[2], x[0], x[1], 0.5f, -2); }
static mlx_array picks(int a, int b, int c, int d)
{
    return mx_from((int[]){a, b, c, d}, SHAPE(2, 2), MLX_INT32);
}
static mlx_array gather_mm(const mlx_array *x)
{
    return mx_gather_mm(x[0], x[1], picks(1, 0, 1, 1), picks(2, 0, 1, 2), false);
}
static mlx_array gather_mm_right(const mlx_array *x)
{
    return mx_gather_mm(x[0], x[1], MX_NULL, mx_from((int[]){0, 2}, SHAPE(2), MLX_UINT32), true);
}
static mlx_array segmented_mm(const mlx_array *x)
{
    return mx_segmented_mm(x[0], x[1], mx_from((int[]){0, 3, 2, 7, 5, 5}, SHAPE(3, 2), MLX_INT32));
}
static mlx_array block_masked_mm(const mlx_array *x)
{
    return mx_block_masked_mm(x[0], x[1], 32, mx_square(x[2]), x[2], MX_NULL);
}
static mlx_array conv1d(const mlx_array *x) { return mx_conv1d(x[0], x[1], 2, 1, 1, 1); }
static mlx_array conv2d(const mlx_array *x) { return mx_conv2d(x[0], x[1], 1, 2, 2, 0, 1, 2, 2); }
static mlx_array conv_general(const mlx_array *x)
{
    return mx_conv_general(x[0], x[1], (int[]){2, 1}, 2, (int[]){0, 3}, 2, (int[]){2, 1}, 2, (int[]){1, 2}, 2,
                           (int[]){3, 1}, 2, 1, true);
}
static mlx_array conv_depthwise(const mlx_array *x) { return mx_conv1d(x[0], x[1], 1, 2, 1, 4); }
static mlx_array conv_transpose(const mlx_array *x)
{
    return mx_conv_transpose3d(x[0], x[1], 2, 1, 2, 0, 1, 0, 1, 1, 1, 1, 0, 0, 1);
}
static mlx_array hadamard(const mlx_array *x) { return mx_hadamard_transform(x[0], NULL); }
static mlx_array quantize(const mlx_array *x)
{
    mlx_array q[3];
    return mx_quantize(x[0], 32, 4, q) ? MX_NULL : mx_dequantize(q[0], q[1], q[2], 32, 4);
}
static mlx_array quantized_matmul(const mlx_array *x)
{
    mlx_array q[3];
    return mx_quantize(x[1], 64, 4, q) ? MX_NULL
                                       : mx_quantized_matmul(x[0], q[0], q[1], q[2], true, 64, 4, MX_EXACT);
}
/* The packed form of a constant matrix. */
static mlx_array packed(int rows, int columns)
{
    mlx_array q[3], w = mx_sin(mx_arange(0, rows * columns, 1, MLX_FLOAT32));
    return mx_quantize(mx_reshape(w, SHAPE(rows, columns)), 32, 4, q) ? MX_NULL : q[0];
}
static mlx_array dequantize(const mlx_array *x) { return mx_dequantize(packed(3, 64), x[0], x[1], 32, 4); }
static mlx_array quantized(const mlx_array *x)
{
    return mx_quantized_matmul(x[0], packed(5, 64), x[1], x[2], true, 32, 4, MX_EXACT);
}
static mlx_array quantized_rows(const mlx_array *x)
{
    return mx_quantized_matmul(x[0], packed(5, 64), x[1], x[2], false, 32, 4, MX_EXACT);
}
static mlx_array gather_qmm(const mlx_array *x)
{
    mlx_array w = mx_reshape(packed(15, 64), SHAPE(3, 5, 8));
    return mx_gather_qmm(x[0], w, x[1], x[2], picks(1, 0, 1, 1), picks(2, 0, 1, 2), true, 32, 4, NULL, false);
}
static mlx_array quantize_fp(const mlx_array *x)
{
    mlx_array q[3];
    mlx_dtype t = mx_dtype_of(x[0]);
    if (mx_quantize_mode(x[0], 0, 0, "mxfp8", MX_NULL, q) < 0)
        return MX_NULL;
    return mx_dequantize_mode(q[0], q[1], MX_NULL, 0, 0, "mxfp8", MX_NULL, &t);
}
static mlx_array random_key(const mlx_array *x)
{
    return mx_random_bits(SHAPE(3), 1, mx_astype(x[0], MLX_UINT32));
}
static mlx_array rope_at(const mlx_array *x)
{
    return mx_rope_dynamic(x[0], 6, false, 100, 1, x[1], MX_NULL);
}
static mlx_array qqmm(const mlx_array *x)
{
    return mx_qqmm(x[0], x[1], MX_NULL, 0, 0, "mxfp8", MX_NULL, MX_NULL);
}
static mlx_array fp8(const mlx_array *x) { return mx_from_fp8(mx_to_fp8(x[0]), mx_dtype_of(x[0])); }
static mlx_array rms_norm(const mlx_array *x) { return mx_rms_norm(x[0], x[1], 1e-5f); }
static mlx_array layer_norm(const mlx_array *x) { return mx_layer_norm(x[0], x[1], x[2], 1e-5f); }
static mlx_array layer_norm_plain(const mlx_array *x) { return mx_layer_norm(x[0], MX_NULL, MX_NULL, 1e-5f); }
static mlx_array rope(const mlx_array *x) { return mx_rope(x[0], 6, false, 10000, 1, 7, MX_NULL); }
static mlx_array rope_pairs(const mlx_array *x) { return mx_rope(x[0], 8, true, 10000, 0.5f, 3, MX_NULL); }
static mlx_array rope_each(const mlx_array *x)
{
    return mx_rope_dynamic(x[0], 6, false, 100, 1, mx_from((int[]){3, 9}, SHAPE(2), MLX_INT32), MX_NULL);
}
static mlx_array attention_sinks(const mlx_array *x)
{
    return mx_scaled_dot_product_attention_sinks(x[0], x[1], mx_slice_axis(x[1], -1, 2, 5), 0.4f,
                                                 MX_MASK_CAUSAL, MX_NULL, x[2]);
}
static mlx_array attention(const mlx_array *x)
{
    return mx_scaled_dot_product_attention(x[0], x[1], x[2], 0.4f, MX_MASK_CAUSAL, MX_NULL);
}
static mlx_array attention_mask(const mlx_array *x)
{
    mlx_array mask =
        mx_less_equal(mx_arange(0, 6, 1, MLX_INT32), mx_reshape(mx_arange(1, 6, 1, MLX_INT32), SHAPE(5, 1)));
    return mx_scaled_dot_product_attention(x[0], x[1], x[2], 0.4f, MX_MASK_ARRAY, mask);
}
static mlx_array attention_long(const mlx_array *x) /* more queries than keys: the first see nothing */
{
    mlx_array y = mx_scaled_dot_product_attention(x[0], x[1], x[2], 0.4f, MX_MASK_CAUSAL, MX_NULL);
    return mx_slice_axis(y, 2, 2, 5);
}
static mlx_array attention_bias(const mlx_array *x)
{
    mlx_array bias = mx_sum(mx_slice_axis(x[1], -1, 0, 2), SHAPE(-1), false); /* (1, 2, 6), for all queries */
    bias = mx_slice_axis(mx_expand_dims(bias, 2), 1, 0, 1);                   /* (1, 1, 1, 6) */
    return mx_scaled_dot_product_attention(x[0], x[1], x[2], 0.4f, MX_MASK_ARRAY, bias);
}
/* Three rows through a cache: written to a block, the block copied, looked at by attention, read back. */
static mlx_array paged(const mlx_array *x)
{
    const mx_paged_params p = {
        .layout = {.heads = 2, .k_dim = 6, .v_dim = 5, .dtype = MLX_FLOAT32}, .scale = 0.4f, .window = 2};
    int bytes = (int)mx_kv_block_bytes(&p.layout);
    mlx_array slots = mx_from((int[]){16, 17, 18}, SHAPE(3), MLX_INT32);
    mlx_array pool = mx_kv_write(mx_zeros(SHAPE(3, bytes), MLX_UINT8), x[1], x[2], slots, &p.layout);
    pool = mx_kv_copy_blocks(pool, mx_from((int[]){1}, SHAPE(1), MLX_INT32),
                             mx_from((int[]){2}, SHAPE(1), MLX_INT32));
    mlx_array y = mx_paged_attention(x[0], pool, mx_from((int[]){2}, SHAPE(1, 1), MLX_INT32),
                                     mx_from((int[]){3}, SHAPE(1), MLX_INT32),
                                     mx_from((int[]){0, 3}, SHAPE(2), MLX_INT32), MX_NULL, &p);
    return mx_add(y, mx_sum(mx_kv_read(pool, slots, &p.layout, true), SHAPE(1), true));
}
/* Both results of a recurrence in one. */
static mlx_array both(const mlx_array *out)
{
    return mx_add(mx_sum(out[0], SHAPE(0), false), mx_sum(out[1], SHAPE(1), false));
}
static mlx_array gated_delta(const mlx_array *x)
{
    mlx_array out[2], g = mx_mean(x[1], SHAPE(-1), false), beta = mx_mean(x[2], SHAPE(1), false);
    return mx_gated_delta(x[0], x[0], x[1], g, beta, x[2], out) ? MX_NULL : both(out);
}
static mlx_array selective_scan(const mlx_array *x)
{
    mlx_array out[2], dt = mx_mean(x[0], SHAPE(-1), false), a = mx_mean(x[2], SHAPE(1, 2), false);
    return mx_selective_scan(x[0], dt, a, x[1], x[1], x[2], out) ? MX_NULL : both(out);
}
/* r0 = a + b; r1 = sin(r0); r0 = r1 < r0 ? r1 : r0; r0 * b */
static mlx_array compiled(const mlx_array *x)
{
    uint8_t t = (uint8_t)mx_dtype_of(x[0]);
    struct {
        int32_t count, registers;
        prim_compiled_op ops[5];
    } p = {5,
           3,
           {{PRIM_Add, t, t, {0, 1, 0}, ~0, 0},
            {PRIM_Sin, t, t, {~0, 0, 0}, ~1, 0},
            {PRIM_Less, t, MLX_BOOL, {~1, ~0, 0}, ~2, 0},
            {PRIM_Select, t, t, {~2, ~1, ~0}, ~0, 0},
            {PRIM_Multiply, t, t, {~0, 1, 0}, 0, 1}}};
    return prim_make(PRIM_Compiled, x, 2, &p, sizeof(prim_compiled) + sizeof p.ops);
}
/* A function with rules of its own, all of which follow from what it does. */
static int wave(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    (void)user, (void)n;
    return mx_arrays_add(out, mx_multiply(mx_sin(in[0]), in[1])) || mx_arrays_add(out, mx_square(in[1]));
}
static mlx_array custom(const mlx_array *x)
{
    mx_arrays y = {0};
    mx_custom *c = mx_custom_new(&(mx_custom_rules){.fun = wave, .checkpoint = true});
    mlx_array sum = mx_custom_call(c, x, 2, &y) ? MX_NULL : mx_add(y.items[0], y.items[1]);
    mx_custom_free(c);
    mx_arrays_free(&y);
    return sum;
}
static mlx_array swiglu(const mlx_array *x) { return mx_swiglu(x[0], x[1]); }
static mlx_array random_bits(const mlx_array *x)
{
    return mx_add(x[0], mx_astype(mx_random_bits(SHAPE(5), 1, mx_random_key(3)), mx_dtype_of(x[0])));
}
static mlx_array qr(const mlx_array *x)
{
    mlx_array f[2];
    return mx_linalg_qr(x[0], f) ? MX_NULL
                                 : mx_concatenate((mlx_array[]){f[0], mx_swapaxes(f[1], 1, 2)}, 2, 1);
}
static mlx_array svd(const mlx_array *x)
{
    mlx_array f[3];
    return mx_linalg_svd(x[0], true, f) ? MX_NULL : mx_multiply(f[0], mx_expand_dims(f[1], 1));
}
static mlx_array inv(const mlx_array *x) { return mx_linalg_inv(x[0]); }
static mlx_array tri_inv(const mlx_array *x) { return mx_linalg_tri_inv(x[0], true); }
static mlx_array cholesky(const mlx_array *x)
{
    mlx_array rows = mx_arange(0, 5, 1, MLX_INT32);
    mlx_array diagonal = mx_equal(rows, mx_reshape(rows, SHAPE(5, 1)));
    return mx_linalg_cholesky(mx_where(diagonal, mx_float(20, mx_dtype_of(x[0])), x[0]), false);
}
static mlx_array eigvals(const mlx_array *x) { return mx_linalg_eigvals(x[0]); }
static mlx_array eigh(const mlx_array *x)
{
    mlx_array f[2];
    return mx_linalg_eigh(x[0], "L", f) ? MX_NULL : mx_multiply(f[1], mx_expand_dims(f[0], 1));
}
static mlx_array lu(const mlx_array *x)
{
    mlx_array f[3];
    return mx_linalg_lu(x[0], f) ? MX_NULL : mx_matmul(f[1], f[2]);
}
static mlx_array real_part(mlx_array x) { return mx_astype(x, MLX_FLOAT32); }
static mlx_array fft(const mlx_array *x)
{
    return real_part(
        mx_fft_fftn(mx_fft_fft(x[0], 5, -1, MX_FFT_BACKWARD), SHAPE(6, 3), SHAPE(2, 1), MX_FFT_BACKWARD));
}
static mlx_array ifft(const mlx_array *x)
{
    mlx_array y = mx_fft_fft(x[0], 4, 1, MX_FFT_BACKWARD);
    return real_part(mx_fft_ifftn(y, SHAPE(5, 4), SHAPE(2, 1), MX_FFT_BACKWARD));
}
static mlx_array rfft(const mlx_array *x)
{
    return real_part(mx_fft_rfftn(x[0], SHAPE(5, 4), SHAPE(2, 1), MX_FFT_BACKWARD));
}
static mlx_array irfft(const mlx_array *x)
{
    mlx_array y = mx_fft_rfft(x[0], 7, 2, MX_FFT_BACKWARD);
    mlx_array z = mx_fft_irfftn(y, SHAPE(4, 6), SHAPE(1, 2), MX_FFT_BACKWARD);
    return mx_add(z, mx_fft_irfft(y, 6, 2, MX_FFT_ORTHO));
}

static mlx_array flatten(const mlx_array *x) { return mx_flatten(mx_swapaxes(x[0], 1, 2), 0, 1); }
static mlx_array unflatten(const mlx_array *x) { return mx_unflatten(x[0], 1, SHAPE(2, -1)); }
static mlx_array axes(const mlx_array *x)
{
    return mx_squeeze_axes(mx_expand_dims_axes(x[0], SHAPE(0, -1, 2)), SHAPE(2, 0));
}
static mlx_array as_strided(const mlx_array *x)
{
    return mx_as_strided(x[0], SHAPE(4, 3, 2), (const int64_t[]){-4, 2, 3}, 3, 41);
}
static mlx_array view(const mlx_array *x) { return mx_view(mx_view(x[0], MLX_UINT8), mx_dtype_of(x[0])); }
static mlx_array diagonal(const mlx_array *x) { return mx_diagonal(x[0], 1, 2, 0); }
static mlx_array diagonal_down(const mlx_array *x) { return mx_diagonal(x[0], -1, 1, 2); }
static mlx_array diag(const mlx_array *x) { return mx_diag(x[0], -2); }
static mlx_array pad(const mlx_array *x)
{
    return mx_pad(x[0], SHAPE(0, -1), SHAPE(1, 0), SHAPE(0, 2), x[1], "constant");
}
static mlx_array pad_reflect(const mlx_array *x) { return mx_pad_symmetric(x[0], 3, MX_NULL, "reflect"); }
static mlx_array depends(const mlx_array *x)
{
    mlx_array out[2];
    return mx_depends(x, 2, x + 2, 1, out) ? MX_NULL : mx_multiply(out[0], out[1]);
}
static mlx_array slice_dynamic(const mlx_array *x)
{
    return mx_slice_dynamic(x[0], x[1], SHAPE(2, -2), SHAPE(3, 2, 3));
}
static mlx_array slice_update_dynamic(const mlx_array *x)
{
    return mx_slice_update_dynamic(x[0], x[1], x[2], SHAPE(2, 1));
}
/* Recorded for any shape: the size itself is a node, and so are the shapes that others follow. */
static mlx_array any_shape(const mlx_array *x)
{
    node_dynamic(1);
    mlx_array size = mx_number_of_elements(x[0], SHAPE(0, 2), true, mx_dtype_of(x[0]));
    mlx_array y = mx_multiply(mx_add(x[0], mx_ones_like(x[0])), size);
    node_dynamic(-1);
    return y;
}
static mlx_array any_shape_broadcast(const mlx_array *x)
{
    mlx_array out[2];
    node_dynamic(1);
    int rc = mx_broadcast_arrays(x, 2, out);
    node_dynamic(-1);
    return rc ? MX_NULL : out[1];
}
static mlx_array split(const mlx_array *x)
{
    mlx_array out[3];
    return mx_split_sections(x[0], SHAPE(1, 3), -1, out) ? MX_NULL : mx_add(mx_add(out[0], out[1]), out[2]);
}
static mlx_array roll(const mlx_array *x) { return mx_roll(x[0], SHAPE(7), MX_FLATTEN); }
static mlx_array tile(const mlx_array *x) { return mx_tile(mx_repeat(x[0], 2, 1), SHAPE(2, 1, 1, 2)); }
static mlx_array triangles(const mlx_array *x) { return mx_add(mx_tril(x[0], 1), mx_triu(x[0], 0)); }
static mlx_array tensordot(const mlx_array *x) { return mx_tensordot(x[0], x[1], SHAPE(1, 0), SHAPE(0, 2)); }
static mlx_array einsum(const mlx_array *x) { return mx_einsum("iji,jk,...k->j...", x, 3); }
static mlx_array kron(const mlx_array *x) { return mx_kron(x[0], x[1]); }

#define CUBE F(3, {3, 4, 5})
/* clang-format off */
#define INDEX {MLX_INT32, 2, {2, 3}, -4, 3}
/* clang-format on */

static const law laws[] = {
#define SKIP_ANY                     0
#define SKIP_FLOAT                   0
#define SKIP_BOOLEAN                 0
#define SKIP_INTEGER                 (SKIP_HALVES | SKIP_EMPTY) /* a derivative is refused */
#define SKIP_SIZE                    0
#define SKIP_PART                    SINGLE
#define SKIP_TURN                    SINGLE
#define UNARY(name, Prim, kind, ...) {#name, u_##name, 1, SKIP_##kind, {P(3, {3, 4, 5})}},
#include "mx_unary.def"
#undef UNARY
#define SLOPE_GRAD 0
#define SLOPE_ZERO \
    SKIP_GRADIENT /* constant between jumps that a large step crosses; sign has none by design */
#define FUNCTION_COMPLEX(name, vjp)               {"complex " #name, z_##name, 1, SINGLE | SLOPE_##vjp, {Q(3, {3, 4, 5})}},
#define UNARY(name, Prim, kind, domain, vjp, ...) FUNCTION_##domain(name, vjp)
#include "mx_unary.def"
#undef UNARY
#define FUNCTION(name) {"complex " #name, z_##name, 2, SINGLE, {Q(3, {3, 4, 5}), Q(2, {4, 1})}},
    COMPLEX_BINARY(FUNCTION)
#undef FUNCTION
#define BINARY(name, ...) {#name, b_##name, 2, 0, {P(3, {3, 4, 5}), P(2, {4, 1})}},
#include "mx_binary.def"
#undef BINARY
        {"compiled", compiled, 2, 0, {CUBE, F(2, {4, 1})}},
    {"where", where_, 3, 0, {CUBE, CUBE, CUBE}},
    {"abs of both signs", u_abs, 1, 0, {CUBE}},
    {"astype", astype, 1, SKIP_GRADIENT, {CUBE}},
    {"astype, to float64", astype_up, 1, SINGLE, {CUBE}},
    {"copy", copy, 1, 0, {CUBE}},
    {"stop_gradient", stop_gradient, 1, SKIP_GRADIENT, {CUBE}},
    {"contiguous", contiguous, 1, 0, {CUBE}},
    {"full", full, 1, SKIP_EMPTY, {CUBE}},
    {"arange", arange, 1, SKIP_EMPTY, {CUBE}},
    {"load", loaded, 1, SKIP_EMPTY, {CUBE}},
    {"broadcast_to", broadcast, 1, SKIP_EMPTY, {CUBE}},
    {"transpose", transpose, 1, 0, {CUBE}},
    {"expand_dims, squeeze", dims, 1, 0, {CUBE}},
    {"slice", slice, 1, 0, {CUBE}},
    {"reshape", reshape, 1, SKIP_EMPTY, {CUBE}},
    {"slice_update", slice_update, 2, SKIP_EMPTY, {CUBE, F(3, {3, 2, 3})}},
    {"flatten", flatten, 1, 0, {CUBE}},
    {"unflatten", unflatten, 1, 0, {CUBE}},
    {"expand_dims, squeeze of several axes", axes, 1, 0, {CUBE}},
    {"as_strided", as_strided, 1, SKIP_EMPTY, {CUBE}},
    {"view", view, 1, SKIP_GRADIENT, {CUBE}},
    {"view, refused by gradients", view, 1, SKIP_HALVES | SKIP_EMPTY, {CUBE}},
    {"diagonal", diagonal, 1, 0, {CUBE}},
    {"diagonal below", diagonal_down, 1, 0, {CUBE}},
    {"diag", diag, 1, 0, {F(1, {5})}},
    {"pad", pad, 2, 0, {CUBE, F(1, {1})}},
    {"pad by reflection", pad_reflect, 1, SKIP_EMPTY, {CUBE}},
    {"depends", depends, 3, 0, {CUBE, CUBE, F(2, {2, 2})}},
    {"slice_dynamic", slice_dynamic, 2, SKIP_EMPTY, {CUBE, {MLX_INT32, 1, {2}, 1, 2}}},
    {"slice_update_dynamic",
     slice_update_dynamic,
     3,
     SKIP_EMPTY,
     {CUBE, F(2, {2, 3}), {MLX_INT32, 1, {2}, 1, 2}}},
    {"of any shape", any_shape, 1, SKIP_EMPTY, {CUBE}},
    {"broadcast_arrays of any shape", any_shape_broadcast, 2, 0, {CUBE, F(2, {4, 1})}},
    {"split", split, 1, SKIP_EMPTY, {F(2, {2, 4})}},
    {"roll", roll, 1, 0, {CUBE}},
    {"repeat, tile", tile, 1, 0, {CUBE}},
    {"tril, triu", triangles, 1, 0, {CUBE}},
    {"tensordot", tensordot, 2, SKIP_EMPTY, {CUBE, F(3, {4, 2, 3})}},
    {"einsum", einsum, 3, SKIP_EMPTY, {F(3, {3, 4, 3}), F(2, {4, 5}), F(2, {2, 5})}},
    {"kron", kron, 2, SKIP_EMPTY, {F(2, {2, 3}), F(1, {4})}},
    {"concatenate", concatenate, 3, 0, {CUBE, F(3, {3, 1, 5}), F(3, {3, 2, 5})}},
    {"take", take, 2, SKIP_EMPTY, {CUBE, INDEX}},
    {"take_along_axis", take_along, 2, SKIP_EMPTY, {CUBE, {MLX_INT32, 3, {3, 2, 1}, -4, 3}}},
    {"take, one index", take_one, 2, SKIP_EMPTY, {CUBE, INDEX}},
    {"scatter_add", scatter_add, 3, SKIP_EMPTY, {CUBE, F(5, {2, 3, 3, 1, 5}), INDEX}},
    {"scatter_add, two axes", scatter_add2, 3, SKIP_EMPTY, {CUBE, F(5, {2, 3, 2, 1, 1}), INDEX}},
    {"scatter_add_axis",
     scatter_add_axis,
     3,
     SKIP_EMPTY,
     {CUBE, F(3, {3, 2, 5}), {MLX_INT32, 3, {3, 2, 5}, -4, 3}}},
    {"scatter", scatter, 2, SKIP_EMPTY, {CUBE, F(4, {3, 3, 1, 5})}},
    {"scatter_prod", scatter_prod, 3, SKIP_EMPTY | SKIP_GRADIENT, {CUBE, F(5, {2, 3, 3, 1, 5}), INDEX}},
    {"scatter_max", scatter_max, 3, SKIP_EMPTY, {CUBE, F(5, {2, 3, 3, 1, 5}), INDEX}},
    {"scatter_min", scatter_min, 3, SKIP_EMPTY, {CUBE, F(5, {2, 3, 3, 1, 2}), INDEX}},
    {"put_along_axis", put_along, 2, SKIP_EMPTY, {CUBE, F(2, {3, 5})}},
    {"gather", gather, 2, SKIP_EMPTY, {CUBE, {MLX_INT32, 2, {2, 3}, 0, 2}}},
    {"masked_scatter", masked_scatter, 2, SKIP_EMPTY, {CUBE, F(2, {9, 5})}},
    {"masked_scatter by itself", masked_by_itself, 2, SKIP_EMPTY | SKIP_HALVES, {CUBE, F(1, {60})}},
    {"slice_update_add", slice_update_add, 2, SKIP_EMPTY, {CUBE, F(3, {3, 2, 3})}},
    {"slice_update_prod", slice_update_prod, 2, SKIP_EMPTY, {CUBE, F(3, {3, 2, 3})}},
    {"slice_update_max", slice_update_max, 2, SKIP_EMPTY, {CUBE, F(3, {3, 2, 1})}},
    {"slice_update_min", slice_update_min, 2, SKIP_EMPTY, {CUBE, F(2, {2, 3})}},
    {"sum", sum, 1, 0, {CUBE}},
    {"sum of two axes", sum2, 1, 0, {CUBE}},
    {"sum of all", sum_all, 1, 0, {CUBE}},
    {"prod", prod, 1, 0, {CUBE}},
    {"max", max, 1, SKIP_EMPTY, {CUBE}},
    {"min", min, 1, SKIP_EMPTY, {CUBE}},
    {"all", all, 1, 0, {CUBE}},
    {"any", any, 1, 0, {CUBE}},
    {"mean", mean, 1, SKIP_EMPTY, {CUBE}},
    {"prod of two axes", prod2, 1, 0, {CUBE}},
    {"prod, complex", prod_complex, 1, SINGLE, {P(3, {3, 4, 5})}},
    {"var", var, 1, SKIP_EMPTY, {CUBE}},
    {"std, complex", var_complex, 1, SKIP_EMPTY | SINGLE, {P(3, {3, 4, 5})}},
    {"median", median, 1, SKIP_EMPTY, {CUBE}},
    {"logsumexp of two axes", logsumexp2, 1, SKIP_EMPTY | SINGLE | COMPOSED, {CUBE}},
    {"softmax of two axes", softmax2, 1, SINGLE | COMPOSED, {CUBE}},
    {"logsumexp, complex", logsumexp_complex, 1, SKIP_EMPTY | SINGLE, {P(3, {3, 4, 5})}},
    {"logsumexp, double", logsumexp_double, 1, SKIP_EMPTY, {CUBE}},
    {"softmax, double", softmax_double, 1, 0, {CUBE}},
    {"argmax", argmax, 1, SKIP_EMPTY | SKIP_HALVES, {CUBE}},
    {"argmin", argmin, 1, SKIP_EMPTY | SKIP_HALVES, {CUBE}},
    {"logsumexp", logsumexp, 1, SKIP_EMPTY | SINGLE | COMPOSED, {CUBE}},
    {"softmax", softmax, 1, SINGLE | COMPOSED, {CUBE}},
    {"softmax of axis 0", softmax0, 1, SINGLE | COMPOSED, {CUBE}},
    {"cumsum", cumsum, 1, 0, {CUBE}},
    {"cumsum, reverse", cumsum_back, 1, 0, {CUBE}},
    {"cumprod", cumprod, 1, 0, {CUBE}},
    {"cumprod, reverse", cumprod_back, 1, 0, {CUBE}},
    {"cumprod, complex", cumprod_complex, 1, SINGLE, {P(3, {3, 4, 5})}},
    {"cummax", cummax, 1, 0, {CUBE}},
    {"cummax, reverse", cummax_back, 1, 0, {CUBE}},
    {"cummin", cummin, 1, 0, {CUBE}},
    {"logcumsumexp", logcumsumexp, 1, 0, {CUBE}},
    {"logcumsumexp, reverse", logcumsumexp_back, 1, 0, {CUBE}},
    {"divmod", divmod, 2, SKIP_GRADIENT, {CUBE, P(2, {4, 1})}},
    {"round to decimals", round_to, 1, SKIP_GRADIENT, {CUBE}},
    {"clip", clip, 2, 0, {CUBE, P(2, {4, 1})}},
    {"isclose", isclose, 2, SKIP_HALVES, {CUBE, P(2, {4, 1})}},
    {"sort", sort, 1, 0, {CUBE}},
    {"argsort", argsort, 1, SKIP_HALVES, {CUBE}},
    {"partition", partition, 1, 0, {CUBE}},
    {"argpartition", argpartition, 1, SKIP_HALVES | SKIP_EMPTY, {CUBE}},
    {"topk", topk, 1, 0, {CUBE}},
    {"searchsorted", searchsorted, 1, SKIP_HALVES, {CUBE}},
    {"matmul", matmul, 2, 0, {F(3, {2, 3, 7}), F(2, {7, 5})}},
    {"matmul, complex", matmul_complex, 2, SINGLE, {F(3, {2, 3, 7}), F(2, {7, 5})}},
    {"matmul, batched", matmul, 2, 0, {F(4, {2, 1, 3, 7}), F(3, {4, 7, 5})}},
    {"matmul, vectors", matmul, 2, SKIP_EMPTY, {F(1, {40}), F(2, {40, 3})}},
    {"addmm", addmm, 3, SKIP_EMPTY, {F(3, {2, 3, 7}), F(2, {7, 5}), F(2, {3, 1})}},
    {"addmm, batched", addmm, 3, SKIP_EMPTY, {F(4, {2, 1, 3, 7}), F(3, {4, 7, 5}), F(1, {5})}},
    {"gather_mm", gather_mm, 2, SKIP_EMPTY, {F(3, {2, 3, 7}), F(3, {3, 7, 5})}},
    {"gather_mm, right", gather_mm_right, 2, SKIP_EMPTY, {F(4, {3, 2, 1, 7}), F(3, {3, 7, 5})}},
    {"segmented_mm", segmented_mm, 2, SKIP_EMPTY, {F(2, {3, 7}), F(2, {7, 5})}},
    {"block_masked_mm", block_masked_mm, 3, SKIP_EMPTY, {F(2, {34, 7}), F(2, {7, 20}), P(2, {2, 1})}},
    {"conv1d", conv1d, 2, 0, {F(3, {2, 9, 3}), F(3, {4, 3, 3})}},
    {"conv2d", conv2d, 2, 0, {F(4, {2, 5, 7, 4}), F(4, {6, 3, 2, 2})}},
    {"conv_general", conv_general, 2, 0, {F(4, {2, 4, 5, 3}), F(4, {4, 3, 2, 3})}},
    {"conv1d, depthwise", conv_depthwise, 2, 0, {F(3, {2, 7, 4}), F(3, {4, 3, 1})}},
    {"conv_transpose3d", conv_transpose, 2, 0, {F(5, {1, 2, 3, 2, 2}), F(5, {3, 2, 2, 3, 2})}},
    {"hadamard", hadamard, 1, SKIP_EMPTY, {F(2, {3, 16})}},
    {"hadamard, 20 * 2", hadamard, 1, SKIP_EMPTY, {F(2, {2, 40})}},
    {"quantize, dequantize", quantize, 1, SKIP_HALVES | SKIP_EMPTY | SINGLE, {F(2, {3, 64})}},
    {"quantized_matmul",
     quantized_matmul,
     2,
     SKIP_HALVES | SKIP_EMPTY | SINGLE,
     {F(3, {2, 3, 128}), F(2, {5, 128})}},
    {"dequantize", dequantize, 2, SKIP_EMPTY | SINGLE, {F(2, {3, 2}), F(2, {3, 2})}},
    {"quantized_matmul, parts",
     quantized,
     3,
     SKIP_HALVES | SKIP_EMPTY | SINGLE,
     {F(3, {2, 3, 64}), F(2, {5, 2}), F(2, {5, 2})}},
    {"quantized_matmul, rows",
     quantized_rows,
     3,
     SKIP_HALVES | SKIP_EMPTY | SINGLE,
     {F(3, {2, 3, 5}), F(2, {5, 2}), F(2, {5, 2})}},
    {"gather_qmm",
     gather_qmm,
     3,
     SKIP_HALVES | SKIP_EMPTY | SINGLE,
     {F(3, {2, 3, 64}), F(3, {3, 5, 2}), F(3, {3, 5, 2})}},
    {"quantize, dequantize, mxfp8", quantize_fp, 1, SKIP_HALVES | SKIP_EMPTY | SINGLE, {F(2, {3, 64})}},
    {"random_bits of a key",
     random_key,
     1,
     SKIP_EMPTY | SKIP_GRADIENT | SKIP_HALVES,
     {{MLX_INT32, 1, {2}, 0, 99}}},
    {"rope, an offset of all",
     rope_at,
     2,
     SKIP_EMPTY | SINGLE | COMPOSED,
     {F(4, {2, 3, 4, 9}), {MLX_INT32, 1, {1}, 0, 9}}},
    {"qqmm", qqmm, 2, SKIP_GRADIENT | SKIP_HALVES | SKIP_EMPTY | SINGLE, {F(2, {3, 64}), F(2, {5, 64})}},
    {"fp8", fp8, 1, SKIP_HALVES, {CUBE}},
    {"rms_norm", rms_norm, 2, SKIP_EMPTY | SINGLE | COMPOSED, {CUBE, P(1, {5})}},
    {"layer_norm", layer_norm, 3, SKIP_EMPTY | SINGLE | COMPOSED, {CUBE, P(1, {5}), F(1, {5})}},
    {"layer_norm, plain", layer_norm_plain, 1, SKIP_EMPTY | SINGLE | COMPOSED, {CUBE}},
    {"rope", rope, 1, SINGLE | COMPOSED, {F(4, {2, 3, 4, 9})}},
    {"rope, traditional", rope_pairs, 1, SINGLE | COMPOSED, {F(4, {2, 3, 4, 8})}},
    {"rope, an offset each", rope_each, 1, SKIP_EMPTY | SINGLE | COMPOSED, {F(4, {2, 3, 4, 9})}},
    {"attention, sinks",
     attention_sinks,
     3,
     SKIP_EMPTY | SINGLE | COMPOSED,
     {F(4, {2, 4, 5, 8}), F(4, {2, 2, 6, 8}), F(1, {4})}},
    {"attention",
     attention,
     3,
     SKIP_EMPTY | SINGLE | COMPOSED,
     {F(4, {2, 4, 5, 8}), F(4, {2, 2, 6, 8}), F(4, {2, 2, 6, 3})}},
    {"attention, mask",
     attention_mask,
     3,
     SKIP_EMPTY | SINGLE | COMPOSED,
     {F(4, {1, 4, 5, 8}), F(4, {1, 2, 6, 8}), F(4, {1, 2, 6, 8})}},
    {"attention, few keys",
     attention_long,
     3,
     SKIP_EMPTY | SINGLE | COMPOSED,
     {F(4, {1, 4, 5, 8}), F(4, {1, 2, 3, 8}), F(4, {1, 2, 3, 8})}},
    {"attention, additive mask",
     attention_bias,
     3,
     SKIP_EMPTY | SINGLE | COMPOSED,
     {F(4, {1, 4, 5, 8}), F(4, {1, 2, 6, 8}), F(4, {1, 2, 6, 8})}},
    {"swiglu", swiglu, 2, SINGLE | COMPOSED, {CUBE, CUBE}},
    {"paged attention",
     paged,
     3,
     SINGLE | SKIP_HALVES | SKIP_EMPTY | SKIP_EXPORT,
     {F(3, {3, 4, 6}), F(3, {3, 2, 6}), F(3, {3, 2, 5})}},
    {"gated delta",
     gated_delta,
     3,
     SINGLE | SKIP_HALVES | SKIP_EMPTY | SKIP_EXPORT,
     {F(3, {4, 2, 5}), F(3, {4, 4, 4}), F(3, {4, 5, 4})}},
    {"selective scan",
     selective_scan,
     3,
     SINGLE | SKIP_HALVES | SKIP_EMPTY | SKIP_EXPORT,
     {F(3, {3, 4, 6}), F(3, {3, 2, 5}), F(3, {4, 5, 6})}},
    {"random_bits", random_bits, 1, SKIP_EMPTY, {CUBE}},
    {"fft", fft, 1, SINGLE, {CUBE}},
    {"ifft", ifft, 1, SINGLE, {CUBE}},
    {"rfft", rfft, 1, SINGLE, {CUBE}},
    {"irfft", irfft, 1, SINGLE, {CUBE}},
    {"qr", qr, 1, SKIP_HALVES, {CUBE}},
    {"svd", svd, 1, SKIP_HALVES, {CUBE}},
    {"inv", inv, 1, SKIP_HALVES, {F(3, {3, 5, 5})}},
    {"tri_inv", tri_inv, 1, SKIP_HALVES, {P(3, {3, 5, 5})}},
    {"cholesky", cholesky, 1, SKIP_HALVES, {F(3, {3, 5, 5})}},
    {"eigvals", eigvals, 1, SKIP_HALVES, {P(3, {3, 5, 5})}},
    {"eigh", eigh, 1, SKIP_HALVES, {F(3, {3, 5, 5})}},
    {"custom", custom, 2, 0, {F(2, {3, 4}), F(2, {3, 4})}},
    {"lu", lu, 1, SKIP_HALVES, {CUBE}},
};
enum { LAWS = sizeof laws / sizeof *laws };

/* --- making inputs --- */

static uint32_t seed;

static float draw(float lo, float hi)
{
    seed = seed * 1664525u + 1013904223u;
    return lo + (hi - lo) * (float)(seed >> 8) / 16777216.0f;
}

/* The input's numbers as a dense array; of what a half can hold, so that dtypes can be compared. */
static mlx_array dense_input(const input *in)
{
    static float values[MAX_SIZE];
    int size = 1;
    for (int i = 0; i < in->ndim; i++)
        size *= in->shape[i];
    for (int i = 0; i < size; i++)
        values[i] = in->dtype == MLX_INT32 ? floorf(draw(in->lo, in->hi + 0.999f))
                                           : roundf(draw(in->lo, in->hi) * 16) / 16;
    return mx_astype(mx_from(values, in->shape, (size_t)in->ndim, MLX_FLOAT32), in->dtype);
}

enum layout { DENSE, HOLES, GAPS, REVERSED, SWAPPED, LAYOUTS };

/* The same numbers in another memory layout. */
static mlx_array in_layout(mlx_array x, enum layout layout)
{
    int ndim = mx_ndim(x), start[5] = {0}, stop[5], stride[5] = {1, 1, 1, 1, 1}, last = ndim - 1;
    if (layout == DENSE || ndim == 0)
        return x;
    if (layout == SWAPPED)
        return ndim < 2 ? x : mx_swapaxes(mx_contiguous(mx_swapaxes(x, 0, last)), 0, last);
    for (int i = 0; i < ndim; i++)
        stop[i] = mx_shape(x)[i];
    if (layout == HOLES) { /* every second entry of an array that is twice as long */
        mlx_array zeros = mx_zeros(mx_shape(x), (size_t)ndim, mx_dtype_of(x));
        mlx_array pairs =
            mx_concatenate((mlx_array[]){mx_expand_dims(x, -1), mx_expand_dims(zeros, -1)}, 2, -1);
        stop[last] *= 2;
        mlx_array wide = mx_reshape(pairs, stop, (size_t)ndim);
        stride[last] = 2;
        return mx_slice(wide, start, stop, stride);
    }
    if (layout == GAPS) { /* dense rows with something else between them */
        mlx_array wide =
            mx_concatenate((mlx_array[]){x, mx_ones(mx_shape(x), (size_t)ndim, mx_dtype_of(x))}, 2, -1);
        return mx_slice(wide, start, stop, NULL);
    }
    for (int i = 0; i < ndim; i++) { /* reverse a reversed copy */
        start[i] = stop[i] - 1;
        stop[i] = -1000;
        stride[i] = -1;
    }
    return mx_slice(mx_contiguous(mx_slice(x, start, stop, stride)), start, stop, stride);
}

#endif
