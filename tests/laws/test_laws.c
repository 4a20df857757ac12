/* Laws that hold for every primitive, whatever it computes.
 *
 *   covered     every row of prim.def is reached by at least one case below
 *   layout      inputs that are views with holes, gaps between rows or reversed axes give what dense copies give
 *   halves      float16 and bfloat16 inputs give what float32 gives on the same numbers, within their precision
 *   empty       arrays without elements give results of the right shape, without a crash
 *   donation    results do not depend on whether inputs are dead or still held
 *   threads     nor on the number of threads
 *
 * A case builds one expression from inputs that the harness makes, in whatever layout and dtype it wants to try. */
#include "test.h"

#include "array/dtype.h"
#include "prim/prim.h"

#include <math.h>

enum { MAX_INPUTS = 3, MAX_SIZE = 65536 };

typedef struct input {
    mlx_dtype dtype;
    int ndim, shape[4];
    float lo, hi; /* of its values */
} input;

typedef struct law {
    const char *name;
    mlx_array (*build)(const mlx_array *x);
    int n_inputs;
    unsigned skip; /* laws that do not apply */
    input in[MAX_INPUTS];
} law;
enum { SKIP_HALVES = 1, SKIP_EMPTY = 2 };

#define F(...) {MLX_FLOAT32, __VA_ARGS__, -2, 2}
#define P(...) {MLX_FLOAT32, __VA_ARGS__, 0.1f, 3}

#define UNARY(name, ...)                                                                                     \
    static mlx_array u_##name(const mlx_array *x) { return mx_##name(x[0]); }
#include "mx_unary.def"
#undef UNARY
#define BINARY(name, ...)                                                                                    \
    static mlx_array b_##name(const mlx_array *x) { return mx_##name(x[0], x[1]); }
#include "mx_binary.def"
#undef BINARY

static mlx_array where_(const mlx_array *x) { return mx_where(mx_greater(x[0], x[1]), x[1], x[2]); }
static mlx_array astype(const mlx_array *x) { return mx_astype(mx_astype(x[0], MLX_INT32), MLX_FLOAT32); }
static mlx_array contiguous(const mlx_array *x) { return mx_contiguous(mx_swapaxes(x[0], 0, 1)); }
static mlx_array full(const mlx_array *x) { return mx_full(SHAPE(3, 4, 5), mx_slice_axis(x[0], -1, 0, 1), mx_dtype_of(x[0])); }
static mlx_array arange(const mlx_array *x) { return mx_multiply(x[0], mx_arange(-3, 4, 1.4, mx_dtype_of(x[0]))); }
static mlx_array broadcast(const mlx_array *x) { return mx_broadcast_to(x[0], SHAPE(2, 3, 4, 5)); }
static mlx_array transpose(const mlx_array *x) { return mx_transpose(x[0], SHAPE(2, 0, 1)); }
static mlx_array dims(const mlx_array *x) { return mx_squeeze(mx_expand_dims(mx_expand_dims(x[0], 1), -1), 1); }
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
static mlx_array sum(const mlx_array *x) { return mx_sum(x[0], SHAPE(1), false); }
static mlx_array sum2(const mlx_array *x) { return mx_sum(x[0], SHAPE(0, 2), true); }
static mlx_array sum_all(const mlx_array *x) { return mx_sum(x[0], NULL, 0, false); }
static mlx_array prod(const mlx_array *x) { return mx_prod(x[0], SHAPE(-1), false); }
static mlx_array max(const mlx_array *x) { return mx_max(x[0], SHAPE(0), false); }
static mlx_array min(const mlx_array *x) { return mx_min(x[0], SHAPE(0, 1), false); }
static mlx_array all(const mlx_array *x) { return mx_all(mx_greater(x[0], mx_float(-1, MLX_FLOAT32)), SHAPE(1), false); }
static mlx_array any(const mlx_array *x) { return mx_any(mx_greater(x[0], mx_float(1, MLX_FLOAT32)), SHAPE(1), false); }
static mlx_array mean(const mlx_array *x) { return mx_mean(x[0], SHAPE(0, 2), false); }
static mlx_array argmax(const mlx_array *x) { return mx_argmax(x[0], 1, true); }
static mlx_array argmin(const mlx_array *x) { return mx_argmin(x[0], -1, false); }
static mlx_array logsumexp(const mlx_array *x) { return mx_logsumexp(x[0], 1, false); }
static mlx_array softmax(const mlx_array *x) { return mx_softmax(x[0], -1); }
static mlx_array softmax0(const mlx_array *x) { return mx_softmax(x[0], 0); }
static mlx_array cumsum(const mlx_array *x) { return mx_cumsum(x[0], 1, false, true); }
static mlx_array cumsum_back(const mlx_array *x) { return mx_cumsum(x[0], -1, true, false); }
static mlx_array sort(const mlx_array *x) { return mx_sort(x[0], 1); }
static mlx_array argsort(const mlx_array *x) { return mx_argsort(x[0], -1); }
static mlx_array matmul(const mlx_array *x) { return mx_matmul(x[0], x[1]); }
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
static mlx_array rms_norm(const mlx_array *x) { return mx_rms_norm(x[0], x[1], 1e-5f); }
static mlx_array layer_norm(const mlx_array *x) { return mx_layer_norm(x[0], x[1], x[2], 1e-5f); }
static mlx_array rope(const mlx_array *x) { return mx_rope(x[0], 6, false, 10000, 1, 7, MX_NULL); }
static mlx_array rope_pairs(const mlx_array *x) { return mx_rope(x[0], 8, true, 10000, 0.5f, 3, MX_NULL); }
static mlx_array attention(const mlx_array *x)
{
    return mx_scaled_dot_product_attention(x[0], x[1], x[2], 0.4f, MX_MASK_CAUSAL, MX_NULL);
}
static mlx_array attention_mask(const mlx_array *x)
{
    mlx_array mask = mx_less_equal(mx_arange(0, 6, 1, MLX_INT32), mx_reshape(mx_arange(1, 6, 1, MLX_INT32), SHAPE(5, 1)));
    return mx_scaled_dot_product_attention(x[0], x[1], x[2], 0.4f, MX_MASK_ARRAY, mask);
}
static mlx_array swiglu(const mlx_array *x) { return mx_swiglu(x[0], x[1]); }
static mlx_array random_bits(const mlx_array *x)
{
    return mx_add(x[0], mx_astype(mx_random_bits(SHAPE(5), 1, mx_random_key(3)), mx_dtype_of(x[0])));
}

#define CUBE F(3, {3, 4, 5})
#define INDEX {MLX_INT32, 2, {2, 3}, -4, 3}

static const law laws[] = {
#define UNARY(name, ...) {#name, u_##name, 1, 0, {P(3, {3, 4, 5})}},
#include "mx_unary.def"
#undef UNARY
#define BINARY(name, ...) {#name, b_##name, 2, 0, {P(3, {3, 4, 5}), P(2, {4, 1})}},
#include "mx_binary.def"
#undef BINARY
    {"where", where_, 3, 0, {CUBE, CUBE, CUBE}},
    {"astype", astype, 1, 0, {CUBE}},
    {"contiguous", contiguous, 1, 0, {CUBE}},
    {"full", full, 1, SKIP_EMPTY, {CUBE}},
    {"arange", arange, 1, SKIP_EMPTY, {CUBE}},
    {"broadcast_to", broadcast, 1, SKIP_EMPTY, {CUBE}},
    {"transpose", transpose, 1, 0, {CUBE}},
    {"expand_dims, squeeze", dims, 1, 0, {CUBE}},
    {"slice", slice, 1, 0, {CUBE}},
    {"reshape", reshape, 1, SKIP_EMPTY, {CUBE}},
    {"slice_update", slice_update, 2, SKIP_EMPTY, {CUBE, F(3, {3, 2, 3})}},
    {"concatenate", concatenate, 3, 0, {CUBE, F(3, {3, 1, 5}), F(3, {3, 2, 5})}},
    {"take", take, 2, SKIP_EMPTY, {CUBE, INDEX}},
    {"take_along_axis", take_along, 2, SKIP_EMPTY, {CUBE, {MLX_INT32, 3, {3, 2, 1}, -4, 3}}},
    {"sum", sum, 1, 0, {CUBE}},
    {"sum of two axes", sum2, 1, 0, {CUBE}},
    {"sum of all", sum_all, 1, 0, {CUBE}},
    {"prod", prod, 1, 0, {CUBE}},
    {"max", max, 1, SKIP_EMPTY, {CUBE}},
    {"min", min, 1, SKIP_EMPTY, {CUBE}},
    {"all", all, 1, 0, {CUBE}},
    {"any", any, 1, 0, {CUBE}},
    {"mean", mean, 1, SKIP_EMPTY, {CUBE}},
    {"argmax", argmax, 1, SKIP_EMPTY | SKIP_HALVES, {CUBE}},
    {"argmin", argmin, 1, SKIP_EMPTY | SKIP_HALVES, {CUBE}},
    {"logsumexp", logsumexp, 1, SKIP_EMPTY, {CUBE}},
    {"softmax", softmax, 1, 0, {CUBE}},
    {"softmax of axis 0", softmax0, 1, 0, {CUBE}},
    {"cumsum", cumsum, 1, 0, {CUBE}},
    {"cumsum, reverse", cumsum_back, 1, 0, {CUBE}},
    {"sort", sort, 1, 0, {CUBE}},
    {"argsort", argsort, 1, SKIP_HALVES, {CUBE}},
    {"matmul", matmul, 2, 0, {F(3, {2, 3, 7}), F(2, {7, 5})}},
    {"matmul, batched", matmul, 2, 0, {F(4, {2, 1, 3, 7}), F(3, {4, 7, 5})}},
    {"matmul, vectors", matmul, 2, SKIP_EMPTY, {F(1, {40}), F(2, {40, 3})}},
    {"quantize, dequantize", quantize, 1, SKIP_HALVES | SKIP_EMPTY, {F(2, {3, 64})}},
    {"quantized_matmul", quantized_matmul, 2, SKIP_HALVES | SKIP_EMPTY, {F(3, {2, 3, 128}), F(2, {5, 128})}},
    {"rms_norm", rms_norm, 2, SKIP_EMPTY, {CUBE, P(1, {5})}},
    {"layer_norm", layer_norm, 3, SKIP_EMPTY, {CUBE, P(1, {5}), F(1, {5})}},
    {"rope", rope, 1, 0, {F(4, {2, 3, 4, 9})}},
    {"rope, traditional", rope_pairs, 1, 0, {F(4, {2, 3, 4, 8})}},
    {"attention", attention, 3, SKIP_EMPTY, {F(4, {2, 4, 5, 8}), F(4, {2, 2, 6, 8}), F(4, {2, 2, 6, 3})}},
    {"attention, mask", attention_mask, 3, SKIP_EMPTY, {F(4, {1, 4, 5, 8}), F(4, {1, 2, 6, 8}), F(4, {1, 2, 6, 8})}},
    {"swiglu", swiglu, 2, 0, {CUBE, CUBE}},
    {"random_bits", random_bits, 1, SKIP_EMPTY, {CUBE}},
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
    int ndim = mx_ndim(x), start[4] = {0}, stop[4], stride[4] = {1, 1, 1, 1}, last = ndim - 1;
    if (layout == DENSE || ndim == 0)
        return x;
    if (layout == SWAPPED)
        return ndim < 2 ? x : mx_swapaxes(mx_contiguous(mx_swapaxes(x, 0, last)), 0, last);
    for (int i = 0; i < ndim; i++)
        stop[i] = mx_shape(x)[i];
    if (layout == HOLES) { /* every second entry of an array that is twice as long */
        mlx_array wide = mx_reshape(mx_concatenate((mlx_array[]){mx_expand_dims(x, -1), mx_expand_dims(mx_zeros(mx_shape(x), (size_t)ndim, mx_dtype_of(x)), -1)}, 2, -1),
                                    (int[]){stop[0] * (last == 0 ? 2 : 1), last < 1 ? 0 : stop[1] * (last == 1 ? 2 : 1), last < 2 ? 0 : stop[2] * (last == 2 ? 2 : 1), last < 3 ? 0 : stop[3] * 2},
                                    (size_t)ndim);
        stop[last] *= 2;
        stride[last] = 2;
        return mx_slice(wide, start, stop, stride);
    }
    if (layout == GAPS) { /* dense rows with something else between them */
        mlx_array wide = mx_concatenate((mlx_array[]){x, mx_ones(mx_shape(x), (size_t)ndim, mx_dtype_of(x))}, 2, -1);
        return mx_slice(wide, start, stop, NULL);
    }
    for (int i = 0; i < ndim; i++) { /* reverse a reversed copy */
        start[i] = stop[i] - 1;
        stop[i] = -1000;
        stride[i] = -1;
    }
    return mx_slice(mx_contiguous(mx_slice(x, start, stop, stride)), start, stop, stride);
}

/* Evaluates the law's expression over these inputs; the values as float32, their number in *n. */
static void evaluate(const law *l, const mlx_array *x, float *out, size_t *n)
{
    mlx_array y = l->build(x);
    *n = mx_size(y);
    if (mx_is_null(y) || *n > MAX_SIZE || mx_read_f32(y, out)) {
        mx_failed();
        fail_msg("%s: %s", l->name, mx_error_text());
    }
}

static void make_inputs(const law *l, mlx_array *x)
{
    seed = 7;
    for (int i = 0; i < l->n_inputs; i++)
        x[i] = dense_input(&l->in[i]);
}

static void compare(const law *l, const char *what, const float *a, size_t na, const float *b, size_t nb, float tolerance)
{
    if (na != nb)
        fail_msg("%s, %s: %zu results against %zu", l->name, what, na, nb);
    for (size_t i = 0; i < na; i++)
        if (!(fabsf(a[i] - b[i]) <= tolerance * (1 + fabsf(b[i]))) && !(isnan(a[i]) && isnan(b[i])) && a[i] != b[i])
            fail_msg("%s, %s: result %zu is %g, not %g", l->name, what, i, (double)a[i], (double)b[i]);
}

static float expected[MAX_SIZE], got[MAX_SIZE];

static void layouts_do_not_matter(void **state)
{
    (void)state;
    static const char *const names[LAYOUTS] = {"dense", "holes", "gaps", "reversed", "swapped axes"};
    for (int i = 0; i < LAWS; i++)
        for (int layout = 1; layout < LAYOUTS; layout++) {
            size_t mark = mx_mark(), n, m;
            mlx_array x[MAX_INPUTS], y[MAX_INPUTS];
            make_inputs(&laws[i], x);
            for (int k = 0; k < laws[i].n_inputs; k++)
                y[k] = in_layout(x[k], (enum layout)layout);
            evaluate(&laws[i], x, expected, &n);
            evaluate(&laws[i], y, got, &m);
            compare(&laws[i], names[layout], got, m, expected, n, 1e-6f);
            mx_release(mark);
        }
}

static void halves_agree_with_float32(void **state)
{
    (void)state;
    const mlx_dtype halves[2] = {MLX_FLOAT16, MLX_BFLOAT16};
    for (int i = 0; i < LAWS; i++)
        for (int h = 0; h < 2 && !(laws[i].skip & SKIP_HALVES); h++) {
            size_t mark = mx_mark(), n, m;
            mlx_array x[MAX_INPUTS], y[MAX_INPUTS];
            make_inputs(&laws[i], x);
            for (int k = 0; k < laws[i].n_inputs; k++)
                y[k] = mx_dtype_of(x[k]) == MLX_FLOAT32 ? mx_astype(x[k], halves[h]) : x[k];
            evaluate(&laws[i], x, expected, &n);
            evaluate(&laws[i], y, got, &m);
            compare(&laws[i], mx_dtype_name(halves[h]), got, m, expected, n,
                    2e-2f);
            mx_release(mark);
        }
}

static void empty_arrays_are_fine(void **state)
{
    (void)state;
    for (int i = 0; i < LAWS; i++) {
        if (laws[i].skip & SKIP_EMPTY)
            continue;
        size_t mark = mx_mark(), n;
        mlx_array x[MAX_INPUTS];
        law empty = laws[i];
        for (int k = 0; k < empty.n_inputs; k++) /* the first axis: never a reduced or inner one of several inputs */
            if (empty.in[k].ndim > 1 && empty.in[k].shape[0] == laws[i].in[0].shape[0])
                empty.in[k].shape[0] = 0;
        make_inputs(&empty, x);
        evaluate(&empty, x, got, &n);
        mx_release(mark);
    }
}

static void held_and_dead_inputs_agree(void **state)
{
    (void)state;
    for (int i = 0; i < LAWS; i++) {
        size_t mark = mx_mark(), n, m;
        mlx_array x[MAX_INPUTS], y[MAX_INPUTS], slot = MX_NULL;
        make_inputs(&laws[i], x);
        evaluate(&laws[i], x, expected, &n);
        for (int k = 0; k < laws[i].n_inputs; k++)
            y[k] = mx_add(x[k], mx_zeros(NULL, 0, mx_dtype_of(x[k]))); /* intermediates that nobody holds */
        mlx_array_set(&slot, laws[i].build(y));
        mx_release(mark);
        m = mx_size(slot);
        assert_int_equal(mx_read_f32(slot, got), 0);
        compare(&laws[i], "dead inputs", got, m, expected, n, 0);
        mlx_array_free(slot);
    }
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    for (int i = 0; i < LAWS; i++) {
        size_t mark = mx_mark(), n, m;
        mlx_array x[MAX_INPUTS];
        make_inputs(&laws[i], x);
        mx_set_threads(1);
        evaluate(&laws[i], x, expected, &n);
        mx_set_threads(3);
        evaluate(&laws[i], x, got, &m);
        mx_set_threads(0);
        compare(&laws[i], "3 threads", got, m, expected, n, 0);
        mx_release(mark);
    }
}

static bool seen[PRIM_COUNT];

/* Marks the primitives of an unevaluated graph. */
static void mark_prims(const node *n)
{
    seen[n->prim] = true;
    for (uint32_t i = 0; i < n->n_inputs; i++)
        mark_prims(n->inputs[i]);
}

static void every_primitive_has_a_case(void **state)
{
    (void)state;
    for (int i = 0; i < LAWS; i++) {
        size_t mark = mx_mark();
        mlx_array x[MAX_INPUTS];
        make_inputs(&laws[i], x);
        mlx_array y = laws[i].build(x);
        assert_false(mx_is_null(y));
        mark_prims(node_of(y));
        mx_release(mark);
    }
    for (int p = 1; p < PRIM_COUNT; p++)
        if (!seen[p])
            fail_msg("no case builds %s", prim_table[p].name);
}

static void cleanup(void)
{
    assert_int_equal(mx_live_nodes(), 0);
    mx_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_primitive_has_a_case), cmocka_unit_test(layouts_do_not_matter),
        cmocka_unit_test(halves_agree_with_float32),  cmocka_unit_test(empty_arrays_are_fine),
        cmocka_unit_test(held_and_dead_inputs_agree), cmocka_unit_test(threads_do_not_matter),
    };
    return RUN_TESTS("laws", tests, cleanup);
}
