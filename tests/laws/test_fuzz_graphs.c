/* Random graphs: some hundred functions of two arrays, each made of up to a dozen ops with operands, axes
 * and numbers drawn from a fixed seed, all valid by construction. What one gives does not depend on how it is
 * run:
 *
 *   compiled  mx_compiled's graph, traced and called again, against the function itself
 *   mapped    mx_vmap against a loop over the entries
 *   portable  another process, with MICA_CPU_ISA=portable, against this one's kernels
 *
 * Values stay small (what may grow ends in tanh) and no op jumps, so that rounding differences stay rounding
 * differences. The draws depend on shapes alone: a traced function is the same function. */
#include "test.h"

#include "mx.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS = 12, LARGEST = 400, ENTRIES = 3, MAX_VALUES = ENTRIES * LARGEST };

static const float tolerance = 2e-4f;
static uint64_t first = 1, last = 300; /* seeds; MICA_TEST_GRAPHS="FIRST LAST" gives others */
static float expected[MAX_VALUES], got[MAX_VALUES];
static FILE *portable_values; /* per graph: a count and as many floats, from the other process */

/* --- graphs --- */

static uint32_t draw(uint64_t *state, uint32_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % below;
}

typedef enum unary_op {
    ABS,
    NEGATIVE,
    SQUARE,
    TANH,
    SIGMOID,
    SIN,
    EXP,
    SQRT,
    ERF,
    LOG1P,
    UNARY_OPS
} unary_op;

static mlx_array unary(unary_op op, mlx_array x)
{
    switch (op) {
    case ABS:
        return mx_abs(x);
    case NEGATIVE:
        return mx_negative(x);
    case SQUARE:
        return mx_tanh(mx_square(x));
    case SIGMOID:
        return mx_sigmoid(x);
    case SIN:
        return mx_sin(x);
    case EXP:
        return mx_exp(mx_negative(mx_abs(x)));
    case SQRT:
        return mx_sqrt(mx_add(mx_square(x), mx_float(0.5, MLX_FLOAT32)));
    case ERF:
        return mx_erf(x);
    case LOG1P:
        return mx_log1p(mx_abs(x));
    default:
        return mx_tanh(x);
    }
}

static bool broadcast_fits(mlx_array a, mlx_array b)
{
    size_t size = 1;
    for (int i = 1; i <= mx_ndim(a) || i <= mx_ndim(b); i++) {
        int m = i <= mx_ndim(a) ? mx_dim(a, -i) : 1, n = i <= mx_ndim(b) ? mx_dim(b, -i) : 1;
        if (m != n && m != 1 && n != 1)
            return false;
        size *= (size_t)(m > n ? m : n);
    }
    return size <= LARGEST;
}

static mlx_array binary(uint32_t op, mlx_array a, mlx_array b)
{
    if (!broadcast_fits(a, b))
        b = mx_mean(b, NULL, 0, false);
    switch (op) {
    case 0:
        return mx_add(a, b);
    case 1:
        return mx_subtract(a, b);
    case 2:
        return mx_tanh(mx_multiply(a, b));
    case 3:
        return mx_maximum(a, b);
    case 4:
        return mx_minimum(b, a);
    default:
        return mx_divide(a, mx_add(mx_square(b), mx_float(1, MLX_FLOAT32)));
    }
}

/* Along one axis, which stays. */
static mlx_array along(uint32_t op, mlx_array x, int axis, uint64_t *state)
{
    int n = mx_dim(x, axis), shift = (int)draw(state, 7) - 3, start = (int)draw(state, (uint32_t)n);
    switch (op) {
    case 0:
        return mx_softmax(x, axis);
    case 1:
        return mx_tanh(mx_cumsum(x, axis, start & 1, shift > 0));
    case 2:
        return mx_sort(x, axis);
    case 3:
        return mx_roll(x, &shift, 1, axis);
    case 4:
        return mx_slice_axis(x, axis, start, n);
    case 5:
        return mx_concatenate((mlx_array[]){x, mx_slice_axis(x, axis, 0, n - start)}, 2, axis);
    default:
        return mx_repeat(x, 2, axis);
    }
}

static mlx_array reduced(uint32_t op, mlx_array x, int axis, bool keepdims)
{
    switch (op) {
    case 0:
        return mx_tanh(mx_sum(x, &axis, 1, keepdims));
    case 1:
        return mx_mean(x, &axis, 1, keepdims);
    case 2:
        return mx_max(x, &axis, 1, keepdims);
    default:
        return mx_logsumexp(x, axis, keepdims);
    }
}

static mlx_array moved(uint32_t op, mlx_array x, uint64_t *state)
{
    uint32_t n = (uint32_t)mx_ndim(x);
    switch (op) {
    case 0:
        return mx_transpose(x, NULL, 0);
    case 1:
        return mx_flatten(x, 0, -1);
    case 2:
        return n < 4 ? mx_expand_dims(x, (int)draw(state, n + 1)) : x;
    default:
        return mx_swapaxes(x, (int)draw(state, n), (int)draw(state, n));
    }
}

/* The array's numbers, repeated or cut, as (rows, columns). */
static mlx_array as_matrix(mlx_array x, int rows, int columns)
{
    mlx_array flat = mx_flatten(x, 0, -1);
    int size = (int)mx_size(x), times = (rows * columns + size - 1) / size;
    flat = mx_slice_axis(mx_tile(flat, &times, 1), 0, 0, rows * columns);
    return mx_reshape(flat, SHAPE(rows, columns));
}

static mlx_array constant(uint64_t *state, int rows, int columns)
{
    float numbers[8 * 64];
    for (int i = 0; i < rows * columns; i++)
        numbers[i] = (float)draw(state, 2001) * 1e-3f - 1;
    return mx_from(numbers, SHAPE(rows, columns), MLX_FLOAT32);
}

static mlx_array ints(uint64_t *state, int n, uint32_t below)
{
    int numbers[8];
    for (int i = 0; i < n; i++)
        numbers[i] = (int)draw(state, below);
    return mx_from(numbers, &n, 1, MLX_INT32);
}

/* What models are made of, on matrices. */
static mlx_array layer(uint32_t op, mlx_array x, uint64_t *state)
{
    mlx_array m = as_matrix(x, 4, 8), q[3], y;
    switch (op) {
    case 0:
        return mx_rms_norm(m, mx_flatten(constant(state, 1, 8), 0, -1), 1e-2f);
    case 1:
        return mx_layer_norm(m, MX_NULL, mx_mean(m, SHAPE(0), false), 1e-2f);
    case 2:
        return mx_squeeze(
            mx_rope(mx_expand_dims(m, 0), 6, draw(state, 2), 100, 1, (int)draw(state, 9), MX_NULL), 0);
    case 3:
        y = mx_reshape(m, SHAPE(1, 2, 4, 4));
        return mx_scaled_dot_product_attention(y, mx_tanh(y), y, 0.5f,
                                               draw(state, 2) ? MX_MASK_CAUSAL : MX_MASK_NONE, MX_NULL);
    case 4:
        return mx_conv1d(mx_expand_dims(m, 0), mx_reshape(constant(state, 4, 24), SHAPE(4, 3, 8)), 1, 1, 1,
                         1);
    case 5:
        if (mx_quantize(constant(state, 8, 64), 32, 4, q))
            return MX_NULL;
        return mx_tanh(mx_quantized_matmul(as_matrix(x, 2, 64), q[0], q[1], q[2], true, 32, 4, MX_EXACT));
    case 6:
        return mx_tanh(mx_gather_mm(mx_reshape(m, SHAPE(2, 2, 8)),
                                    mx_reshape(constant(state, 8, 6), SHAPE(2, 8, 3)), ints(state, 3, 2),
                                    ints(state, 3, 2), false));
    default:
        return mx_tanh(mx_abs(mx_fft_rfft(m, 8, -1, MX_FFT_BACKWARD)));
    }
}

/* Elements moved by indices, strides and positions. */
static mlx_array picked(uint32_t op, mlx_array x, int axis, uint64_t *state)
{
    uint32_t n = (uint32_t)mx_dim(x, axis);
    mlx_array places = ints(state, 2, n), m;
    switch (op) {
    case 0:
        return mx_take(x, places, axis);
    case 1:
        return mx_take_along_axis(x, mx_argsort(x, axis), axis);
    case 2:
        m = as_matrix(x, 4, 6);
        return mx_put_along_axis(m, mx_argsort(constant(state, 4, 6), 1), mx_tanh(m), 1);
    case 3:
        return mx_pad(x, &axis, 1, SHAPE(1), SHAPE(1), mx_mean(x, NULL, 0, false), "constant");
    case 4:
        m = as_matrix(x, 4, 6);
        return mx_scatter_add(m, (mlx_array[]){ints(state, 2, 4)}, 1,
                              mx_reshape(as_matrix(x, 2, 6), SHAPE(2, 1, 6)), (const int[]){0});
    case 5:
        return mx_as_strided(as_matrix(x, 4, 6), SHAPE(3, 2), (const int64_t[]){7, -2}, 2,
                             draw(state, 6) + 3);
    case 6:
        return mx_slice_dynamic(as_matrix(x, 4, 6), ints(state, 2, 3), SHAPE(0, 1), SHAPE(2, 4));
    case 7:
        return mx_slice_update_dynamic(as_matrix(x, 4, 6), as_matrix(x, 2, 4), ints(state, 2, 3),
                                       SHAPE(0, 1));
    default:
        return mx_slice_update(as_matrix(x, 4, 6), mx_tanh(as_matrix(x, 2, 3)), (const int[]){1, 0},
                               (const int[]){3, 6}, (const int[]){1, 2});
    }
}

/* One more array, made of those before it. */
static mlx_array step(const mlx_array *x, uint32_t n, uint64_t *state)
{
    mlx_array a = x[n - 1 - draw(state, n < 3 ? n : 3)], b = x[draw(state, n)];
    uint32_t kind = draw(state, 10);
    if (mx_ndim(a) == 0 && kind > 3)
        kind = 3;
    int axis = mx_ndim(a) ? (int)draw(state, (uint32_t)mx_ndim(a)) : 0;
    switch (kind) {
    case 0:
    case 1:
        return unary((unary_op)draw(state, UNARY_OPS), a);
    case 2:
    case 3:
        return binary(draw(state, 6), a, b);
    case 4:
        return along(draw(state, 7), a, axis, state);
    case 5:
        return reduced(draw(state, 4), a, axis, draw(state, 2));
    case 6:
        return moved(draw(state, 4), a, state);
    case 7:
        return layer(draw(state, 8), a, state);
    case 8:
        return picked(draw(state, 9), a, axis, state);
    default:
        return mx_ndim(a) < 2 ? mx_square(a) : mx_tanh(mx_matmul(a, mx_swapaxes(a, -1, -2)));
    }
}

static mlx_array graph(uint64_t seed, const mlx_array *in)
{
    mlx_array x[STEPS + 2] = {in[0], in[1]};
    uint64_t state = seed;
    uint32_t n = 2, steps = 2 + draw(&state, STEPS - 1);
    for (; n < steps + 2; n++) {
        x[n] = step(x, n, &state);
        while (!mx_is_null(x[n]) && mx_size(x[n]) > LARGEST)
            x[n] = mx_mean(x[n], (int[]){-1}, 1, false);
        if (mx_is_null(x[n]))
            return x[n];
    }
    return x[n - 1];
}

/* Two arrays of shapes by the seed, numbers in (-1, 1) by the seed and the entry. */
static void inputs(uint64_t seed, uint64_t entry, mlx_array *in)
{
    static float numbers[6 * 6 * 6];
    uint64_t state = seed ^ 0x5bd1e995u, values = state + entry * 77777;
    for (int i = 0; i < 2; i++) {
        int shape[3], n = 1 + (int)draw(&state, 3), size = 1;
        for (int k = 0; k < n; k++)
            size *= shape[k] = i ? 1 + (int)draw(&state, 6) : 2 + (int)draw(&state, 5);
        for (int k = 0; k < size; k++)
            numbers[k] = (float)draw(&values, 2000001) * 1e-6f - 1;
        in[i] = mx_from(numbers, shape, (size_t)n, MLX_FLOAT32);
    }
}

/* --- ways to run them --- */

static int as_function(void *user, const mlx_array *in, mlx_array *out)
{
    out[0] = graph(*(const uint64_t *)user, in);
    return mx_is_null(out[0]);
}

static int as_list_function(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    (void)n;
    return mx_arrays_add(out, graph(*(const uint64_t *)user, in));
}

static size_t values(uint64_t seed, const char *way, mlx_array x, float *out)
{
    if (mx_is_null(x) || mx_size(x) > MAX_VALUES || mx_read_f32(x, out)) {
        mx_failed();
        fail_msg("graph %d, %s: %s", (int)seed, way, mx_error_text());
    }
    return mx_size(x);
}

static void compare(uint64_t seed, const char *way, size_t n, size_t m)
{
    if (n != m)
        fail_msg("graph %d, %s: %zu values, not %zu", (int)seed, way, m, n);
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(got[i] - expected[i]) <= tolerance * (1 + fabsf(expected[i]))))
            fail_msg("graph %d, %s: value %zu is %.9g, not %.9g", (int)seed, way, i, (double)got[i],
                     (double)expected[i]);
}

static void compiled_is_plain(void **test)
{
    (void)test;
    for (uint64_t seed = first; seed <= last; seed++)
        for (uint64_t entry = 0; entry < 2; entry++) { /* traced, then kept */
            size_t mark = mx_mark();
            mlx_array in[2];
            mx_arrays out = {0};
            inputs(seed, entry, in);
            size_t n = values(seed, "plain", graph(seed, in), expected);
            int rc = mx_compiled((uintptr_t)seed, as_list_function, &seed, false, NULL, 0, in, 2, &out);
            compare(seed, "compiled", n, values(seed, "compiled", rc ? MX_NULL : out.items[0], got));
            mx_arrays_free(&out);
            mx_release(mark);
        }
    mx_compile_clear_cache();
}

static void mapped_is_a_loop(void **test)
{
    (void)test;
    for (uint64_t seed = first; seed <= last; seed++) {
        size_t mark = mx_mark(), n = 0;
        mlx_array in[ENTRIES][2], parts[2][ENTRIES], both[2], y;
        int axes[2] = {0, seed % 3 ? (int)(seed % 2) : -1}, out_axis = 0; /* -1: shared by the entries */
        for (uint64_t e = 0; e < ENTRIES; e++) {
            inputs(seed, e, in[e]);
            if (axes[1] < 0)
                in[e][1] = in[0][1];
            n += values(seed, "loop", graph(seed, in[e]), expected + n);
            parts[0][e] = mx_expand_dims(in[e][0], 0);
            parts[1][e] = mx_expand_dims(in[e][1], axes[1] < 0 ? 0 : axes[1]);
        }
        both[0] = mx_concatenate(parts[0], ENTRIES, 0);
        both[1] = axes[1] < 0 ? in[0][1] : mx_concatenate(parts[1], ENTRIES, axes[1]);
        int rc = mx_vmap(as_function, &seed, both, 2, axes, &y, 1, &out_axis);
        compare(seed, "mapped", n, values(seed, "mapped", rc ? MX_NULL : y, got));
        mx_release(mark);
    }
}

static void portable_kernels_agree(void **test)
{
    (void)test;
    rewind(portable_values);
    for (uint64_t seed = first; seed <= last; seed++) {
        size_t mark = mx_mark(), m;
        mlx_array in[2];
        inputs(seed, 0, in);
        size_t n = values(seed, "plain", graph(seed, in), expected);
        assert_int_equal(fread(&m, sizeof m, 1, portable_values), 1);
        assert_true(m <= MAX_VALUES && fread(got, sizeof *got, m, portable_values) == m);
        compare(seed, "portable", n, m);
        mx_release(mark);
    }
}

/* The other process, started before this one has chosen its kernels: writes all graphs' values. */
static bool run_portable(void)
{
    portable_values = tmpfile();
    pid_t child = portable_values ? fork() : -1;
    if (child == 0) {
        setenv("MICA_CPU_ISA", "portable", 1);
        for (uint64_t seed = first; seed <= last; seed++) {
            size_t mark = mx_mark();
            mlx_array in[2];
            inputs(seed, 0, in);
            mlx_array y = graph(seed, in);
            size_t n = mx_size(y);
            if (mx_is_null(y) || n > MAX_VALUES || mx_read_f32(y, got) ||
                fwrite(&n, sizeof n, 1, portable_values) != 1 ||
                fwrite(got, sizeof *got, n, portable_values) != n)
                _exit(1);
            mx_release(mark);
        }
        _exit(fflush(portable_values) ? 1 : 0);
    }
    int status = 1;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void cleanup(void)
{
    fclose(portable_values);
    assert_int_equal(mx_live_nodes(), 0);
    mx_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compiled_is_plain),
        cmocka_unit_test(mapped_is_a_loop),
        cmocka_unit_test(portable_kernels_agree),
    };
    const char *seeds = getenv("MICA_TEST_GRAPHS");
    if (seeds && sscanf(seeds, "%" SCNu64 " %" SCNu64, &first, &last) != 2)
        return 1;
    if (!run_portable()) {
        fprintf(stderr, "the process with portable kernels failed\n");
        return 1;
    }
    return RUN_TESTS("random graphs", tests, cleanup);
}
