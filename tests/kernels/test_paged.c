/* Attention over a paged cache for every instruction set: against softmax(scale q k^T) v in double over what
 * the cache holds; and a row's bits must be the same in whatever company. The pool is full of NaN where
 * nothing was written. */
#include "kernel_test.h"

#include "cpu/paged.h"
#include "cpu/pool.h"

#define COUNT(x) (sizeof(x) / sizeof *(x))

enum { MOST_SEQUENCES = 4 };

typedef struct problem {
    enum kv_kind kind;
    int heads, kv_heads, k_dim, v_dim, v_in_k, group;
    int sequences, lengths[MOST_SEQUENCES], rows[MOST_SEQUENCES];
    int window;
    float softcap;
    bool sinks;
    mlx_dtype dtype;
} problem;

/* What a call needs, and the cache's numbers as they were stored. */
typedef struct memory {
    paged_args a;
    guarded pool, q, out;
    int32_t tables[MOST_SEQUENCES][512], lengths[MOST_SEQUENCES], starts[MOST_SEQUENCES + 1];
    float sinks[64], *k[MOST_SEQUENCES], *v[MOST_SEQUENCES];
} memory;

static int value_dim(const problem *p) { return p->v_in_k ? p->v_in_k : p->v_dim; }

/* Slots of positions [0, n) of sequence s. */
static int32_t *make_slots(const memory *m, int s, int n)
{
    int32_t *slots = test_malloc((size_t)n * sizeof *slots + 1);
    for (int i = 0; i < n; i++)
        slots[i] = m->tables[s][i / KV_POSITIONS] * KV_POSITIONS + i % KV_POSITIONS;
    return slots;
}

static void fill_cache(const problem *p, memory *m, int s)
{
    const kv_block *b = &m->a.block;
    size_t n = (size_t)p->lengths[s], heads = (size_t)p->kv_heads, dim = (size_t)value_dim(p);
    int32_t *slots = make_slots(m, s, p->lengths[s]);
    guarded k = random_floats(MLX_FLOAT32, n * heads * b->k_dim, 11 + (uint64_t)s);
    guarded v = random_floats(MLX_FLOAT32, n * heads * b->v_dim + 1, 21 + (uint64_t)s);
    cpu_kv_store(b, m->pool.data, k.data, MLX_FLOAT32, slots, n, true);
    if (b->v_dim)
        cpu_kv_store(b, m->pool.data, v.data, MLX_FLOAT32, slots, n, false);
    m->k[s] = test_malloc(n * heads * b->k_dim * 4 + 4);
    m->v[s] = test_malloc(n * heads * dim * 4 + 4);
    cpu_kv_load(b, m->pool.data, slots, n, true, b->k_dim, m->k[s]);
    cpu_kv_load(b, m->pool.data, slots, n, p->v_in_k, dim, m->v[s]);
    guarded_free(k);
    guarded_free(v);
    test_free(slots);
}

static void make(const problem *p, memory *m)
{
    size_t blocks = 1, rows = 0;
    *m = (memory){0};
    for (int s = 0; s < p->sequences; s++) {
        m->lengths[s] = p->lengths[s];
        m->starts[s] = (int32_t)rows;
        rows += (size_t)p->rows[s];
        blocks += (size_t)(p->lengths[s] + KV_POSITIONS - 1) / KV_POSITIONS;
    }
    m->starts[p->sequences] = (int32_t)rows;
    for (size_t s = 0, next = blocks; s < (size_t)p->sequences; s++) /* backwards, from the last block on */
        for (size_t i = 0; i < 512; i++)
            m->tables[s][i] = (int)i * KV_POSITIONS < p->lengths[s] ? (int32_t)--next : -7;
    m->a = (paged_args){.n_blocks = blocks,
                        .sequences = (size_t)p->sequences,
                        .max_blocks = 512,
                        .tables = m->tables[0],
                        .lengths = m->lengths,
                        .starts = m->starts,
                        .sinks = p->sinks ? m->sinks : NULL,
                        .scale = 3.0f / sqrtf((float)p->k_dim),
                        .softcap = p->softcap,
                        .window = (size_t)p->window,
                        .rows = rows,
                        .heads = (size_t)p->heads,
                        .v_in_k = (size_t)p->v_in_k,
                        .dtype = p->dtype};
    m->a.block =
        kv_block_make(p->kind, (size_t)p->kv_heads, (size_t)p->k_dim, (size_t)p->v_dim, (size_t)p->group);
    m->pool = guarded_new(blocks * m->a.block.bytes);
    memset(m->pool.data, 0xFF, blocks * m->a.block.bytes);
    m->q = random_floats(p->dtype, rows * m->a.heads * m->a.block.k_dim, 5);
    m->out = guarded_new(rows * m->a.heads * (size_t)value_dim(p) * float_size(p->dtype) + 4);
    for (int h = 0; h < p->heads; h++)
        m->sinks[h] = (float)h / 4 - 1;
    for (int s = 0; s < p->sequences; s++)
        fill_cache(p, m, s);
    m->a.pool = m->pool.data;
    m->a.q = m->q.data;
    m->a.out = m->out.data;
}

static void unmake(memory *m)
{
    for (int s = 0; s < MOST_SEQUENCES; s++) {
        test_free(m->k[s]);
        test_free(m->v[s]);
    }
    guarded_free(m->pool);
    guarded_free(m->q);
    guarded_free(m->out);
}

/* Row i of sequence s, head h, in double. */
static void oracle(const problem *p, const memory *m, int s, int i, int h, double *want)
{
    int position = p->lengths[s] - p->rows[s] + i, kv = h / (p->heads / p->kv_heads), dim = value_dim(p);
    int first = p->window && position + 1 > p->window ? position + 1 - p->window : 0;
    double *weight = test_malloc((size_t)(position + 1) * sizeof *weight), total = 0;
    double most = p->sinks ? (double)m->sinks[h] : -(double)INFINITY;
    size_t at = ((size_t)(m->starts[s] + i) * m->a.heads + (size_t)h) * m->a.block.k_dim;
    for (int j = first; j <= position; j++) {
        double x = 0;
        for (int d = 0; d < p->k_dim; d++)
            x += float_get(m->q.data, p->dtype, at + (size_t)d) *
                 (double)m->k[s][(j * p->kv_heads + kv) * p->k_dim + d];
        x *= (double)m->a.scale;
        weight[j] = p->softcap > 0 ? (double)p->softcap * tanh(x / (double)p->softcap) : x;
        most = fmax(most, weight[j]);
    }
    memset(want, 0, (size_t)dim * sizeof *want);
    total = p->sinks ? exp((double)m->sinks[h] - most) : 0;
    for (int j = first; j <= position; j++) {
        double w = exp(weight[j] - most);
        total += w;
        for (int d = 0; d < dim; d++)
            want[d] += w * (double)m->v[s][(j * p->kv_heads + kv) * dim + d];
    }
    for (int d = 0; d < dim; d++)
        want[d] /= total;
    test_free(weight);
}

/* What the arithmetic of a kind may cost: queries become bytes or bfloat16 where there are dot products of
 * those. */
static double tolerance(enum kv_kind kind, cpu_isa isa)
{
    if (isa < ISA_LEVEL_avx512 || kind <= KV_F16)
        return 4e-6;
    return kind == KV_BF16 ? 1e-2 : 2e-2;
}

static void check(const problem *p, const memory *m, cpu_isa isa)
{
    int dim = value_dim(p);
    double want[1024];
    for (int s = 0; s < p->sequences; s++)
        for (int i = 0; i < p->rows[s]; i++)
            for (int h = 0; h < p->heads; h++) {
                oracle(p, m, s, i, h, want);
                for (int d = 0; d < dim; d++) {
                    size_t at =
                        ((size_t)(m->starts[s] + i) * m->a.heads + (size_t)h) * (size_t)dim + (size_t)d;
                    double got = float_get(m->out.data, p->dtype, at);
                    if (!float_close(got, want[d], tolerance(p->kind, isa) + format_error(p->dtype, want[d])))
                        fail_msg(
                            "kind %d, heads %d/%d, dims %d/%d, sequence %d row %d head %d: [%d] is %.9g, not "
                            "%.9g",
                            (int)p->kind, p->heads, p->kv_heads, p->k_dim, dim, s, i, h, d, got, want[d]);
                }
            }
}

static void run(const cpu_kernels *t, const problem *p)
{
    memory m;
    make(p, &m);
    assert_ok(cpu_paged_attention_with(t, &m.a) == 0);
    check(p, &m, t->isa);
    unmake(&m);
}

#define F32 MLX_FLOAT32

static void kinds_and_sizes(void **state)
{
    (void)state;
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (int kind = 0; kind < KV_KINDS; kind++) {
        enum kv_kind k = (enum kv_kind)kind;
        run(&t, &(problem){k, 4, 2, 64, 64, 0, 32, 3, {70, 33, 1}, {1, 33, 1}, 0, 0, false, F32});
        run(&t, &(problem){k, 3, 3, 80, 96, 0, 64, 2, {300, 17}, {9, 2}, 0, 0, false, F32});
        run(&t, &(problem){k, 2, 1, 128, 128, 0, 64, 1, {600}, {40}, 0, 0, false, F32});
        run(&t, &(problem){k, 1, 1, 5, 7, 0, 32, 2, {16, 40}, {1, 40}, 0, 0, false, F32});
        run(&t, &(problem){k, 24, 1, 72, 48, 0, 32, 1, {280}, {3}, 0, 0, false, F32});
        run(&t, &(problem){k, 4, 2, 32, 32, 0, 32, 2, {65, 30}, {5, 30}, 0, 0, false, MLX_BFLOAT16});
        run(&t, &(problem){k, 4, 4, 32, 32, 0, 32, 1, {20}, {20}, 0, 0, false, MLX_FLOAT16});
    }
}

static void windows_caps_and_sinks(void **state)
{
    (void)state;
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (int kind = 0; kind < KV_KINDS; kind++) {
        enum kv_kind k = (enum kv_kind)kind;
        run(&t, &(problem){k, 4, 2, 32, 32, 0, 32, 2, {700, 300}, {1, 300}, 20, 0, false, F32});
        run(&t, &(problem){k, 4, 2, 32, 48, 0, 32, 2, {900, 90}, {3, 40}, 257, 0, true, F32});
        run(&t, &(problem){k, 2, 2, 32, 32, 0, 32, 1, {50}, {50}, 1, 0, true, F32});
        run(&t, &(problem){k, 2, 1, 64, 32, 0, 64, 2, {300, 20}, {2, 20}, 0, 2, false, F32});
        run(&t, &(problem){k, 2, 1, 64, 32, 0, 64, 2, {300, 20}, {2, 20}, 33, 2, true, F32});
    }
}

static void values_in_keys(void **state)
{
    (void)state;
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (int kind = 0; kind < KV_KINDS; kind++) {
        enum kv_kind k = (enum kv_kind)kind;
        run(&t, &(problem){k, 16, 1, 96, 0, 64, 32, 2, {300, 20}, {1, 20}, 0, 0, false, F32});
        run(&t, &(problem){k, 3, 1, 72, 0, 50, 64, 1, {290}, {5}, 0, 0, false, F32});
    }
}

/* The row of a sequence whose other rows, and whose companions, are gone. */
static void compare_alone(const cpu_kernels *t, const memory *m, int s, int row, int rows)
{
    memory one = *m;
    size_t size = m->a.heads * (m->a.v_in_k ? m->a.v_in_k : m->a.block.v_dim) * float_size(m->a.dtype);
    size_t at = (size_t)(m->starts[s] + row);
    char *out = test_malloc((size_t)rows * size);
    int32_t length = m->lengths[s] - (m->starts[s + 1] - m->starts[s]) + row + rows, starts[2] = {0, rows};
    one.a.sequences = 1;
    one.a.tables = m->tables[s];
    one.a.lengths = &length;
    one.a.starts = starts;
    one.a.rows = (size_t)rows;
    one.a.q = (const char *)m->q.data + at * m->a.heads * m->a.block.k_dim * float_size(m->a.dtype);
    one.a.out = out;
    assert_int_equal(cpu_paged_attention_with(t, &one.a), 0);
    assert_memory_equal(out, (const char *)m->out.data + at * size, (size_t)rows * size);
    test_free(out);
}

/* The same bits alone, in pieces of 7, with any number of threads. */
static void same_bits_in_any_company(void **state)
{
    (void)state;
    int before = pool_threads();
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (int kind = 0; kind < KV_KINDS; kind++)
        for (int variant = 0; variant < 3; variant++) {
            problem p = {(enum kv_kind)kind,
                         8,
                         2,
                         64,
                         64,
                         0,
                         32,
                         4,
                         {700, 1, 100, 530},
                         {1, 1, 64, 520},
                         variant == 1 ? 100 : 0,
                         variant == 1 ? 5.0f : 0,
                         variant == 1,
                         F32};
            if (variant == 2)
                p.v_dim = 0, p.v_in_k = 40, p.kv_heads = 1;
            memory m;
            make(&p, &m);
            pool_set_threads(1);
            assert_int_equal(cpu_paged_attention_with(&t, &m.a), 0);
            for (int threads = 1; threads <= 5; threads += 2) {
                pool_set_threads(threads);
                for (int s = 0; s < 3; s++)
                    for (int row = 0; row < p.rows[s]; row += 9)
                        compare_alone(&t, &m, s, row, 1);
                for (int row = 0; row + 7 <= 520; row += threads == 1 ? 7 : 91)
                    compare_alone(&t, &m, 3, row, 7);
                compare_alone(&t, &m, 3, 0, 520);
            }
            unmake(&m);
        }
    pool_set_threads(before);
}

/* A NaN in a query spoils that row; rows of no sequence are zeros; a sequence may have no rows. */
static void special_rows(void **state)
{
    (void)state;
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (int kind = 0; kind < KV_KINDS; kind++) {
        problem p = {(enum kv_kind)kind, 2, 1, 32, 32, 0, 32, 3, {40, 0, 9}, {20, 0, 9}, 0, 0, false, F32};
        memory m;
        make(&p, &m);
        ((float *)m.q.data)[5 * 64 + 3] = NAN; /* row 5, head 0 */
        m.a.sequences = 2;                     /* the last 9 rows are of none now */
        memset(m.out.data, 0x11, 29 * 64 * 4);
        assert_int_equal(cpu_paged_attention_with(&t, &m.a), 0);
        for (int i = 0; i < 29 * 64; i++) {
            float x = ((float *)m.out.data)[i];
            assert_int_equal(isnan(x) != 0, i / 32 == 10);
            assert_true(i / 64 < 20 || x == 0);
        }
        m.a.rows = 0;
        m.a.sequences = 0;
        assert_int_equal(cpu_paged_attention_with(&t, &m.a), 0);
        unmake(&m);
    }
}

/* Every number comes back as near as its format can hold it; the rest of the pool stays. */
static void storing(void **state)
{
    (void)state;
    for (int kind = 0; kind < KV_KINDS; kind++)
        for (int key = 0; key < 2; key++) {
            kv_block b = kv_block_make((enum kv_kind)kind, 3, 100, 100, 64);
            enum { ROWS = 40, NUMBERS = ROWS * 300 };
            char *pool = test_malloc(4 * b.bytes), *copy = test_malloc(4 * b.bytes);
            float *x = test_malloc(NUMBERS * 4), *y = test_malloc(NUMBERS * 4);
            int32_t slots[ROWS];
            uint64_t seed = 3;
            for (int i = 0; i < ROWS; i++)
                slots[i] = i % 8 == 5 ? -1 : (i * 23 + 5) % 64;
            for (int i = 0; i < NUMBERS; i++)
                x[i] = (float)((2 * random_unit(&seed) - 1) * (i / 64 % 2 ? 10 : 1) + (i / 300 % 3 ? 2 : 0));
            memset(pool, 0xFF, 4 * b.bytes);
            cpu_kv_store(&b, pool, x, MLX_FLOAT32, slots, ROWS, key);
            cpu_kv_load(&b, pool, slots, ROWS, key, 100, y);
            for (int i = 0; i < NUMBERS; i++) {
                int row = i / 300, d = i % 100, first = i - d + d / 64 * 64, n = d < 64 ? 64 : 36;
                float low = x[first], high = x[first];
                for (int j = first; j < first + n; j++)
                    low = fminf(low, x[j]), high = fmaxf(high, x[j]);
                double unit = kind == KV_INT8   ? (double)fmaxf(high, -low) / 127 * 0.501
                              : kind == KV_INT4 ? (double)(high - low) / 15 * 0.505
                                                : format_error(float_types[kind], (double)x[i]);
                if (slots[row] < 0 ? y[i] != 0
                                   : fabs((double)y[i] - (double)x[i]) > unit + 1e-3 * (kind == KV_INT4))
                    fail_msg("kind %d, number %d: %g became %g", kind, i, (double)x[i], (double)y[i]);
            }
            /* once more changes nothing, and a position that was not written is as it was */
            memcpy(copy, pool, 4 * b.bytes);
            cpu_kv_store(&b, copy, x, MLX_FLOAT32, slots, ROWS, key);
            assert_memory_equal(copy, pool, 4 * b.bytes);
            test_free(pool);
            test_free(copy);
            test_free(x);
            test_free(y);
        }
}

/* A number that is not finite shows, and in its group alone when quantized. */
static void storing_what_is_not_finite(void **state)
{
    (void)state;
    for (int kind = 0; kind < KV_KINDS; kind++)
        for (int key = 0; key < 2; key++) {
            kv_block b = kv_block_make((enum kv_kind)kind, 1, 64, 64, 32);
            char *pool = test_malloc(b.bytes);
            float x[3 * 64] = {0}, y[3 * 64];
            int32_t slots[3] = {4, 5, 6};
            x[64 + 3] = NAN, x[128] = INFINITY;
            cpu_kv_store(&b, pool, x, MLX_FLOAT32, slots, 3, key);
            cpu_kv_load(&b, pool, slots, 3, key, 64, y);
            for (int i = 0; i < 192; i++) {
                bool spoilt = kind >= KV_INT8 ? i >= 64 && i % 64 < 32 : i == 67 || i == 128;
                assert_int_equal(!isfinite(y[i]), spoilt);
            }
            test_free(pool);
        }
}

static void refusals(void **state)
{
    (void)state;
    cpu_kernels t;
    cpu_kernels_fill(&t, ISA_LEVEL_portable);
    problem p = {KV_F32, 2, 1, 16, 16, 0, 32, 2, {40, 50}, {3, 50}, 0, 0, false, F32};
    memory m;
    make(&p, &m);
    for (size_t k = 1; k <= 2; k++) {
        mem_fail_at(k);
        assert_int_equal(cpu_paged_attention_with(&t, &m.a), -1);
        assert_error("out of memory");
    }
    mem_fail_at(0);
#define REFUSED(place, value, text)                               \
    {                                                             \
        int32_t old = place;                                      \
        place = value;                                            \
        assert_int_equal(cpu_paged_attention_with(&t, &m.a), -1); \
        assert_error(text);                                       \
        place = old;                                              \
    }
    REFUSED(m.tables[1][3], -1, "block 3 of sequence 1 is -1; the pool has 8")
    REFUSED(m.tables[0][0], 8, "block 0 of sequence 0 is 8; the pool has 8")
    REFUSED(m.lengths[0], 2, "sequence 0 of length 2 has 3 rows")
    REFUSED(m.lengths[0], 512 * 16 + 1, "a table of 512 blocks")
    REFUSED(m.starts[2], 60, "rows 3 to 60 of sequence 1 are not among 53")
    REFUSED(m.starts[1], 54, "rows 0 to 54 of sequence 0 are not among 53")
    REFUSED(m.starts[0], -1, "rows -1 to 3")
    REFUSED(m.starts[1], -1, "rows 0 to -1")
    assert_int_equal(cpu_paged_attention_with(&t, &m.a), 0);
    unmake(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_and_sizes),
        cmocka_unit_test(windows_caps_and_sinks),
        cmocka_unit_test(values_in_keys),
        cmocka_unit_test(same_bits_in_any_company),
        cmocka_unit_test(special_rows),
        cmocka_unit_test(storing),
        cmocka_unit_test(storing_what_is_not_finite),
        cmocka_unit_test(refusals),
    };
    return RUN_TESTS("paged", tests, pool_stop);
}
