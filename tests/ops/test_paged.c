/* The paged cache through its ops: what is written is read and attended to, in place; and the messages of
 * wrong calls. tests/kernels/test_paged.c checks the numbers. */
#include "ops/check.h"

#define INTS(...)                                                                                           \
    mx_from((const int[]){__VA_ARGS__}, (const int[]){sizeof((const int[]){__VA_ARGS__}) / sizeof(int)}, 1, \
            MLX_INT32)

static const mx_kv_layout plain = {.heads = 1, .k_dim = 2, .v_dim = 1, .dtype = MLX_FLOAT32};

static mlx_array rows(int n, int heads, int dim)
{
    return mx_reshape(mx_arange(0, n * heads * dim, 1, MLX_FLOAT32), SHAPE(n, heads, dim));
}

static mlx_array new_pool(const mx_kv_layout *l, int blocks)
{
    return mx_zeros(SHAPE(blocks, (int)mx_kv_block_bytes(l)), MLX_UINT8);
}

static void values(void **state)
{
    (void)state;
    mlx_array pool = new_pool(&plain, 3);
    mlx_array k = mx_from((float[]){1, 0, 0, 1, 5, 5}, SHAPE(3, 1, 2), MLX_FLOAT32);
    mlx_array v = mx_reshape(mx_astype(VEC(10, 20, 30), MLX_BFLOAT16), SHAPE(3, 1, 1));
    pool = mx_kv_write(pool, k, v, INTS(32, 33, -1), &plain);
    CHECK(mx_kv_read(pool, INTS(33, 32, -1), &plain, false), 0, 0, 1, 1, 0, 0, 0);
    CHECK(mx_kv_read(pool, INTS(33, 32), &plain, true), 0, 20, 10);
    pool = mx_kv_copy_blocks(pool, INTS(2), INTS(0));
    CHECK(mx_kv_read(pool, INTS(1, 33), &plain, true), 0, 20, 20);
    /* scores ln 3 and 0: weights 3/4 and 1/4; the first row sees the first position alone */
    mx_paged_params p = {.layout = plain, .scale = 0.5f};
    mlx_array q = mx_from((float[]){7, 7, 2 * logf(3), 0}, SHAPE(2, 1, 2), MLX_FLOAT32);
    mlx_array table = mx_reshape(INTS(0), SHAPE(1, 1));
    CHECK(mx_paged_attention(q, pool, table, INTS(2), INTS(0, 2), MX_NULL, &p), 1e-5f, 10, 12.5f);
    /* a sink of score 0: 3/5, 1/5 */
    q = mx_slice_axis(q, 0, 1, 2);
    CHECK(mx_paged_attention(q, pool, table, INTS(2), INTS(0, 1), VEC(0), &p), 1e-5f, 10);
    p.window = 1;
    CHECK(mx_paged_attention(q, pool, table, INTS(2), INTS(0, 1), MX_NULL, &p), 0, 20);
    assert_int_equal(mx_dtype_of(mx_paged_attention(mx_astype(q, MLX_BFLOAT16), pool, table, INTS(2),
                                                    INTS(0, 1), MX_NULL, &p)),
                     MLX_BFLOAT16);
    assert_int_equal(mx_size(mx_kv_read(pool, mx_zeros(SHAPE(0), MLX_INT32), &plain, true)), 0);
    CHECK(mx_kv_read(mx_kv_write(pool, rows(0, 1, 2), rows(0, 1, 1), mx_zeros(SHAPE(0), MLX_INT32), &plain),
                     INTS(33), &plain, true),
          0, 20);
    mx_release(0);
}

/* A pool that only its slot holds is written to where it is; one that is held elsewhere stays as it was. */
static void in_place(void **state)
{
    (void)state;
    mlx_array slot = MX_NULL, other = MX_NULL;
    mx_set(&slot, new_pool(&plain, 2));
    assert_int_equal(mx_eval(slot), 0);
    const void *data = mx_data(slot);
    size_t mark = mx_mark();
    mx_set(&slot, mx_kv_write(slot, rows(1, 1, 2), rows(1, 1, 1), INTS(17), &plain));
    mx_set(&slot, mx_kv_copy_blocks(slot, INTS(1), INTS(0)));
    mx_release(0);
    assert_int_equal(mx_eval(slot), 0);
    assert_ptr_equal(mx_data(slot), data);
    mx_set(&other, slot);
    mx_set(&slot, mx_kv_write(slot, rows(2, 1, 2), rows(2, 1, 1), INTS(3, 17), &plain));
    CHECK(mx_kv_read(slot, INTS(1, 17), &plain, false), 0, 0, 1, 2, 3);
    CHECK(mx_kv_read(other, INTS(1, 17), &plain, false), 0, 0, 1, 0, 1);
    mlx_array_free(slot);
    mlx_array_free(other);
    mx_release(mark);
    mx_release(0);
}

static void quantized(void **state)
{
    (void)state;
    for (int bits = 4; bits <= 8; bits += 4) {
        mx_kv_layout l = {.heads = 2, .k_dim = 96, .v_dim = 64, .bits = bits, .group = 32};
        mlx_array x = mx_sin(rows(20, 2, 96)), slots = mx_arange(5, 25, 1, MLX_INT32);
        mlx_array pool = mx_kv_write(new_pool(&l, 2), x, mx_slice_axis(x, 2, 0, 64), slots, &l);
        mlx_array gone = mx_abs(mx_subtract(mx_kv_read(pool, slots, &l, false), x));
        CHECK(mx_less(mx_max(gone, NULL, 0, false), mx_float(bits == 8 ? 0.0041 : 0.068, MLX_FLOAT32)), 0, 1);
        gone = mx_abs(mx_subtract(mx_kv_read(pool, slots, &l, true), mx_slice_axis(x, 2, 0, 64)));
        CHECK(mx_less(mx_max(gone, NULL, 0, false), mx_float(bits == 8 ? 0.0041 : 0.068, MLX_FLOAT32)), 0, 1);
    }
    mx_release(0);
}

static void layouts(void **state)
{
    (void)state;
    mx_kv_layout l = {.heads = 8, .k_dim = 128, .v_dim = 128, .dtype = MLX_BFLOAT16};
    assert_int_equal(mx_kv_block_bytes(&l), 16 * 8 * 256 * 2);
    l.bits = 8, l.group = 64;
    assert_int_equal(mx_kv_block_bytes(&l), 16 * 8 * (256 + 4 * 2));
    l.bits = 4;
    assert_int_equal(mx_kv_block_bytes(&l), 16 * 8 * (128 + 4 * 4));
    l.v_dim = 0, l.v_in_k = 64, l.bits = 0;
    assert_int_equal(mx_kv_block_bytes(&l), 16 * 8 * 256);
#define BAD(field, value, text)                                    \
    {                                                              \
        mx_kv_layout bad = l;                                      \
        bad.field = value;                                         \
        assert_int_equal(mx_kv_block_bytes(&bad), 0);              \
        assert_true(mx_failed() && strstr(mx_error_text(), text)); \
    }
    BAD(heads, 0, "a layout of 0 heads")
    BAD(k_dim, 70000, "keys of 70000")
    BAD(v_in_k, 129, "129 of them in the keys, is not possible")
    BAD(v_in_k, 0, "values of 0 numbers")
    BAD(bits, 5, "not 5")
    BAD(dtype, MLX_INT32, "not int32")
    l.bits = 8;
    BAD(group, 16, "not 16")
    l.heads = 65536;
    l.k_dim = 65536;
    l.bits = 0;
    BAD(dtype, MLX_FLOAT32, "is too large")
}

static void refusals(void **state)
{
    (void)state;
    mlx_array pool = new_pool(&plain, 2), k = rows(2, 1, 2), v = rows(2, 1, 1), slots = INTS(0, 1);
    CHECK_FAILS(
        mx_kv_write(mx_zeros(SHAPE(2, 64), MLX_UINT8), k, v, slots, &plain),
        "[kv_write] a pool of this layout is of shape (blocks, 1152) and uint8, not uint8 of (2, 64)");
    CHECK_FAILS(mx_kv_write(pool, k, v, INTS(0), &plain),
                "[kv_write] slots must be of int32 and shape (2,), not int32 of (1,)");
    CHECK_FAILS(mx_kv_write(pool, rows(2, 2, 1), v, slots, &plain),
                "[kv_write] k must be of shape (2, 1, 2)");
    CHECK_FAILS(mx_kv_write(pool, k, mx_astype(v, MLX_INT32), slots, &plain), "not int32 of (2, 1, 1)");
    CHECK_FAILS(mx_kv_write(pool, k, v, INTS(0, 32), &plain),
                "[KVWrite] entry 1 of slots is 32; the pool has 32");
    CHECK_FAILS(mx_kv_write(pool, k, v, INTS(-2, 0), &plain), "entry 0 of slots is -2");
    CHECK_FAILS(mx_kv_read(pool, INTS(40), &plain, true), "[KVRead] entry 0 of slots is 40");
    CHECK_FAILS(mx_kv_read(pool, VEC(1), &plain, true), "not float32 of (1,)");
    CHECK_FAILS(mx_kv_copy_blocks(pool, INTS(0), INTS(2)),
                "[KVCopyBlocks] entry 0 of dst is 2; the pool has 2");
    CHECK_FAILS(mx_kv_copy_blocks(pool, INTS(-1), INTS(0)), "entry 0 of src is -1");
    CHECK_FAILS(mx_kv_copy_blocks(k, INTS(0), INTS(0)), "not float32 of (2, 1, 2)");
    mx_paged_params p = {.layout = plain, .scale = 1};
    mlx_array q = rows(2, 3, 2), table = mx_reshape(INTS(1, 0), SHAPE(1, 2)), one = INTS(2),
              starts = INTS(0, 2);
#define ATTEND(q, table, lengths, starts, sinks) \
    mx_paged_attention(q, pool, table, lengths, starts, sinks, &p)
    CHECK_FAILS(ATTEND(rows(2, 3, 4), table, one, starts, MX_NULL),
                "[paged_attention] q must be of shape (2, 3, 2)");
    CHECK_FAILS(ATTEND(q, INTS(1), one, starts, MX_NULL), "tables must be of int32 and shape (1, N)");
    CHECK_FAILS(ATTEND(q, table, one, INTS(0), MX_NULL), "starts must be of int32 and shape (2,)");
    CHECK_FAILS(ATTEND(q, table, one, starts, VEC(1)), "sinks must be of shape (3,), not (1,)");
    CHECK_FAILS(ATTEND(q, table, INTS(33), starts, MX_NULL), "sequence 0 of length 33 has 2 rows");
    p.window = -1;
    CHECK_FAILS(ATTEND(q, table, one, starts, MX_NULL), "a window of -1");
    p.window = 0;
    p.softcap = NAN_;
    CHECK_FAILS(ATTEND(q, table, one, starts, MX_NULL), "a softcap of nan");
    p.softcap = 0;
    p.layout.heads = 2;
    pool = new_pool(&p.layout, 2);
    CHECK_FAILS(ATTEND(q, table, one, starts, MX_NULL), "3 heads of q do not share 2 heads of keys");
    mx_release(0);
}

static void cleanup(void) { mx_shutdown(); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),  cmocka_unit_test(in_place), cmocka_unit_test(quantized),
        cmocka_unit_test(layouts), cmocka_unit_test(refusals),
    };
    return RUN_TESTS("paged", tests, cleanup);
}
