/* The contiguous cache: what is appended comes back, whatever the steps, and the buffers grow and stay in
 * place. */
#include "test.h"

#include "array/node.h"
#include "kv/kv.h"

enum { H = 2, D = 3 };

/* The number at (head, position, d) of a sequence's keys; values are its negatives. Whole numbers that
 * bfloat16 holds. */
static float number(int h, int t, int d) { return (float)(t % 64 + 100 * h - 10 * d); }

static mlx_array rows(int start, int L, float sign)
{
    static float x[H * 2048 * D];
    for (int h = 0; h < H; h++)
        for (int t = 0; t < L; t++)
            for (int d = 0; d < D; d++)
                x[(h * L + t) * D + d] = sign * number(h, start + t, d);
    return mx_from(x, SHAPE(1, H, L, D), MLX_FLOAT32);
}

static void check(mlx_array x, int S, float sign)
{
    static float out[H * 2048 * D];
    assert_false(mx_is_null(x));
    assert_int_equal(mx_dim(x, 2), S);
    assert_int_equal(mx_read_f32(x, out), 0);
    for (int h = 0; h < H; h++)
        for (int t = 0; t < S; t++)
            for (int d = 0; d < D; d++)
                assert_float_equal(out[(h * S + t) * D + d], sign * number(h, t, d), 0);
}

/* One step of L positions, as a session makes it. */
static void step(kv_cache *c, int L, bool look)
{
    size_t mark = mx_mark();
    int start = kv_offset(c);
    for (int layer = 0; layer < c->n_layers; layer++) {
        mlx_array k = rows(start, L, 1), v = rows(start, L, -1);
        kv_append(c, layer, &k, &v);
        if (look) {
            check(k, start + L, 1);
            check(v, start + L, -1);
        }
    }
    kv_advance(c, L);
    mx_release(mark);
    assert_int_equal(kv_eval(c), 0);
}

static void steps_of_any_length(void **state)
{
    (void)state;
    const mlx_dtype dtypes[] = {MLX_FLOAT32, MLX_BFLOAT16, MLX_FLOAT16};
    const int lengths[] = {1, 5, 249, 1, 1, 300, 1, 511, 2};
    for (int t = 0; t < 3; t++) {
        kv_cache c;
        assert_int_equal(kv_init(&c, 2, dtypes[t]), 0);
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
            step(&c, lengths[i], i % 2 == 0);
        step(&c, 1, true);
        assert_int_equal(kv_offset(&c), 1072);
        assert_int_equal(kv_bytes(&c), 2 * 2 * H * 1280 * D * mx_dtype_size(dtypes[t]));
        kv_free(&c);
    }
}

static void a_step_writes_in_place(void **state)
{
    (void)state;
    kv_cache c;
    assert_int_equal(kv_init(&c, 1, MLX_FLOAT32), 0);
    kv_reserve(&c, 700);
    step(&c, 1, false);
    const void *keys = mx_data(c.layers[0].keys), *values = mx_data(c.layers[0].values);
    for (int i = 1; i < 700; i += 7)
        step(&c, 7, false);
    assert_ptr_equal(mx_data(c.layers[0].keys), keys);
    assert_ptr_equal(mx_data(c.layers[0].values), values);
    step(&c, 1, true);
    kv_free(&c);
}

static void trimmed_positions_are_written_again(void **state)
{
    (void)state;
    kv_cache c;
    assert_int_equal(kv_init(&c, 1, MLX_FLOAT32), 0);
    step(&c, 300, false);
    kv_trim(&c, 400); /* not longer than it is */
    assert_int_equal(kv_offset(&c), 300);
    kv_trim(&c, 0);
    step(&c, 3, true);
    step(&c, 300, true);
    kv_reset(&c);
    assert_int_equal(kv_bytes(&c), 0);
    step(&c, 2, true);
    kv_free(&c);
    kv_free(&c); /* an empty one is fine */
}

static void null_and_flat_arrays_give_null(void **state)
{
    (void)state;
    kv_cache c;
    size_t mark = mx_mark();
    assert_int_equal(kv_init(&c, 1, MLX_FLOAT32), 0);
    mlx_array k = MX_NULL, v = mx_zeros(SHAPE(2, 3), MLX_FLOAT32);
    kv_append(&c, 0, &k, &v);
    assert_true(mx_is_null(k));
    assert_true(mx_is_null(v));
    k = rows(0, 4, 1);
    v = mx_zeros(SHAPE(1, H, 4, 7), MLX_FLOAT32); /* values may be of another width */
    kv_append(&c, 0, &k, &v);
    assert_int_equal(mx_dim(v, 3), 7);
    kv_free(&c);
    mx_release(mark);
    error_clear();
}

/* What a step lends to a model: attention over the history, rows that are wanted, keys that are values. */
static void a_step_attends(void **state)
{
    (void)state;
    kv_cache c;
    assert_int_equal(kv_init(&c, 2, MLX_FLOAT32), 0);
    float whole[H * 6 * D], got[H * 6 * D];
    const kv_attention how = {.scale = 0.01f}, latent = {.scale = 0.01f, .v_dim = 2};
    size_t mark = mx_mark();
    mlx_array x = rows(0, 6, 1);
    assert_int_equal(
        mx_read_f32(mx_scaled_dot_product_attention(x, x, x, 0.01f, MX_MASK_CAUSAL, MX_NULL), whole), 0);
    for (int at = 0; at < 6; at += 3) {
        const int wanted[] = {0, 2};
        kv_step s = kv_begin(&c, 3, wanted, 2);
        assert_int_equal(kv_positions(&s).first, at);
        mlx_array now = rows(at, 3, 1);
        mlx_array y = kv_attend(&s, 0, now, now, now, &how);
        mlx_array lent = kv_attend(&s, 0, now, MX_NULL, MX_NULL, &how);
        mlx_array narrow = kv_attend(&s, 1, now, now, MX_NULL, &latent);
        assert_int_equal(mx_read_f32(y, got), 0);
        for (int h = 0; h < H; h++)
            for (int i = 0; i < 3 * D; i++)
                assert_float_equal(got[h * 3 * D + i], whole[(h * 6 + at) * D + i], 1e-4);
        assert_int_equal(mx_read_f32(mx_subtract(lent, y), got), 0);
        for (int i = 0; i < H * 3 * D; i++)
            assert_float_equal(got[i], 0, 0);
        assert_int_equal(mx_dim(narrow, 3), 2);
        assert_int_equal(mx_read_f32(mx_subtract(narrow, mx_slice_axis(y, 3, 0, 2)), got), 0);
        for (int i = 0; i < H * 3 * 2; i++)
            assert_float_equal(got[i], 0, 1e-4);
        mlx_array h = mx_reshape(mx_arange(0, 6, 1, MLX_FLOAT32), SHAPE(1, 3, 2));
        assert_int_equal(mx_read_f32(kv_select(&s, h), got), 0);
        const float picked[] = {0, 1, 4, 5};
        assert_memory_equal(got, picked, sizeof picked);
        kv_advance(&c, 3);
    }
    mx_release(mark);
    kv_free(&c);
}

/* A recurrent layer's state lives from step to step, and cannot go back. */
static void states_cannot_go_back(void **state)
{
    (void)state;
    kv_cache c;
    assert_int_equal(kv_init(&c, 2, MLX_FLOAT32), 0);
    float sum = 0;
    for (int i = 1; i <= 3; i++) {
        size_t mark = mx_mark();
        kv_step s = kv_begin(&c, 4, NULL, 0);
        mlx_array *slot = kv_state(&s, 1, 0, 2);
        mlx_array now = mx_float((float)i, MLX_FLOAT32);
        mx_set(slot, mx_is_null(*slot) ? now : mx_add(*slot, now));
        kv_advance(&c, 4);
        mx_release(mark);
        assert_int_equal(kv_eval(&c), 0);
    }
    assert_int_equal(mx_read_f32(c.layers[1].state[2], &sum), 0);
    assert_float_equal(sum, 6, 0);
    assert_int_equal(kv_bytes(&c), sizeof(float));
    kv_trim(&c, 12);
    assert_int_equal(kv_offset(&c), 12);
    kv_trim(&c, 11);
    assert_int_equal(kv_offset(&c), 0);
    assert_int_equal(kv_bytes(&c), 0);
    kv_free(&c);
}

/* The positions that a layer's rows hold, in the order that they are stored. */
static int held(const kv_cache *c, int *positions)
{
    static float out[H * 64 * D];
    size_t mark = mx_mark();
    assert_int_equal(mx_read_f32(mx_slice_axis(c->layers[0].keys, 2, 0, c->stored), out), 0);
    mx_release(mark);
    for (int i = 0; i < c->stored; i++)
        positions[i] = (int)out[i * D];
    return c->stored;
}

/* With a limit of 10 the first 2 and the last 8 stay; a step of several rows sees one less of those before
 * it. */
static void a_limited_cache_rotates(void **state)
{
    (void)state;
    static const int LENGTHS[] = {4, 1, 1, 3, 1, 1, 1, 1, 5, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3};
    enum { LIMIT = 10, KEEP = 2 };
    kv_cache c;
    assert_int_equal(kv_init(&c, 1, MLX_FLOAT32), 0);
    kv_limit(&c, LIMIT, KEEP);
    for (size_t s = 0; s < sizeof LENGTHS / sizeof *LENGTHS; s++) {
        int L = LENGTHS[s], before = kv_offset(&c), seen[64], n, most = L == 1 ? LIMIT : LIMIT - 1 + L;
        size_t mark = mx_mark();
        mlx_array k = rows(before, L, 1), v = rows(before, L, -1);
        kv_append(&c, 0, &k, &v);
        kv_advance(&c, L);
        mx_release(mark);
        assert_int_equal(kv_eval(&c), 0);
        n = held(&c, seen);
        int all = before + L, expected = all < most ? all : most;
        assert_int_equal(n, expected);
        for (int at = 0; at < all; at++) { /* each once, if it is one of the first or of the last */
            int times = 0;
            for (int i = 0; i < n; i++)
                times += seen[i] == at;
            assert_int_equal(times, all == n || at < KEEP || at >= all - (n - KEEP));
        }
        for (int i = 1; L > 1 && i < n; i++)
            assert_true(seen[i] > seen[i - 1]);
    }
    kv_trim(&c, 20); /* what is gone cannot come back */
    assert_int_equal(kv_offset(&c), 0);
    kv_free(&c);
}

/* As long as the limit is not reached, and beyond it for a step of one row that sees all, attention is what
 * it is without. */
static void a_limited_cache_attends(void **state)
{
    (void)state;
    enum { LIMIT = 4, KEEP = 1 };
    kv_cache c;
    assert_int_equal(kv_init(&c, 1, MLX_FLOAT32), 0);
    kv_limit(&c, LIMIT, KEEP);
    const kv_attention how = {.scale = 0.01f};
    static const int SEEN[] = {0, 4, 5, 6}; /* by position 6, all of them fed one by one */
    float got[H * D], expected[H * D];
    size_t mark = mx_mark();
    mlx_array y = MX_NULL, parts[4], q = rows(6, 1, 1);
    for (int at = 0; at < 7; at++) {
        kv_step s = kv_begin(&c, 1, NULL, 0);
        mlx_array now = rows(at, 1, 1);
        y = kv_attend(&s, 0, now, now, now, &how);
        kv_advance(&c, 1);
    }
    for (int i = 0; i < 4; i++)
        parts[i] = rows(SEEN[i], 1, 1);
    mlx_array kv = mx_concatenate(parts, 4, 2);
    assert_int_equal(mx_read_f32(y, got), 0);
    assert_int_equal(
        mx_read_f32(mx_scaled_dot_product_attention(q, kv, kv, 0.01f, MX_MASK_NONE, MX_NULL), expected), 0);
    for (int i = 0; i < H * D; i++)
        assert_float_equal(got[i], expected[i], 1e-4);
    mx_release(mark);
    kv_free(&c);
}

static void cleanup(void)
{
    assert_int_equal(mx_live_nodes(), 0);
    mx_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_of_any_length),
        cmocka_unit_test(a_step_writes_in_place),
        cmocka_unit_test(trimmed_positions_are_written_again),
        cmocka_unit_test(a_limited_cache_rotates),
        cmocka_unit_test(a_limited_cache_attends),
        cmocka_unit_test(a_step_attends),
        cmocka_unit_test(states_cannot_go_back),
        cmocka_unit_test(null_and_flat_arrays_give_null),
    };
    return RUN_TESTS("kv", tests, cleanup);
}
