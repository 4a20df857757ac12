/* Attention for every instruction set against softmax(scale q k^T + mask) v in double. */
#include "kernel_test.h"

#include "cpu/pool.h"

#define COUNT(x) (sizeof(x) / sizeof *(x))

enum mask_shape { FULL, PER_HEAD, SHARED, ROW_REPEATED };

typedef struct problem {
    int batch, heads, kv_heads, queries, keys, dim, v_dim;
    mlx_dtype q, k, v, out;
    mx_mask kind;
    mlx_dtype mask;
    enum mask_shape shape;
} problem;

typedef struct memory {
    guarded q, k, v, mask, out;
} memory;

static size_t size(int a, int b, int c, int d) { return (size_t)a * (size_t)b * (size_t)c * (size_t)d; }

static attention_operand operand(const void *data, mlx_dtype t, int heads, int rows, int dim)
{
    return (attention_operand){data, t, (int64_t)heads * rows * dim, (int64_t)rows * dim, dim};
}

/* A mask that hides about a third, but never key 0. */
static guarded make_mask(const problem *p, size_t n)
{
    uint64_t seed = 9;
    guarded g = guarded_new(n * (p->mask == MLX_BOOL ? 1 : float_size(p->mask)));
    for (size_t i = 0; i < n; i++) {
        double x = random_unit(&seed);
        bool first = i % (size_t)p->keys == 0;
        if (p->mask == MLX_BOOL)
            ((uint8_t *)g.data)[i] = first || x > 0.3;
        else
            float_set(g.data, p->mask, i, first || x > 0.3 ? x : -(double)INFINITY);
    }
    return g;
}

static void set_mask(const problem *p, attention_args *a, memory *m)
{
    int64_t keys = p->keys, plane = keys * p->queries;
    size_t n = size(1, 1, p->queries, p->keys);
    a->ms[3] = 1;
    a->ms[2] = keys;
    if (p->shape == FULL) {
        n = size(p->batch, p->heads, p->queries, p->keys);
        a->ms[1] = plane, a->ms[0] = plane * p->heads;
    } else if (p->shape == PER_HEAD) {
        n = size(1, p->heads, p->queries, p->keys);
        a->ms[1] = plane;
    } else if (p->shape == ROW_REPEATED) {
        n = (size_t)p->keys;
        a->ms[2] = 0;
    }
    m->mask = make_mask(p, n);
    a->mask = m->mask.data;
}

static attention_args make(const problem *p, memory *m)
{
    m->q = random_floats(p->q, size(p->batch, p->heads, p->queries, p->dim), 1);
    m->k = random_floats(p->k, size(p->batch, p->kv_heads, p->keys, p->dim), 2);
    m->v = random_floats(p->v, size(p->batch, p->kv_heads, p->keys, p->v_dim), 3);
    m->out = guarded_new(size(p->batch, p->queries, p->heads, p->v_dim) * float_size(p->out));
    m->mask = (guarded){0};
    attention_args a = {.batch = p->batch,
                        .heads = p->heads,
                        .kv_heads = p->kv_heads,
                        .queries = p->queries,
                        .keys = p->keys,
                        .dim = p->dim,
                        .v_dim = p->v_dim,
                        .scale = 3.0f / sqrtf((float)p->dim),
                        .q = operand(m->q.data, p->q, p->heads, p->queries, p->dim),
                        .k = operand(m->k.data, p->k, p->kv_heads, p->keys, p->dim),
                        .v = operand(m->v.data, p->v, p->kv_heads, p->keys, p->v_dim),
                        .kind = p->kind,
                        .mask_dtype = p->mask,
                        .out = m->out.data,
                        .out_dtype = p->out};
    a.out_head = p->v_dim; /* (B, L, H, D): what the model reshapes next */
    a.out_row = (int64_t)p->v_dim * p->heads;
    a.out_batch = a.out_row * p->queries;
    if (p->kind == MX_MASK_ARRAY)
        set_mask(p, &a, m);
    return a;
}

static void unmake(memory *m)
{
    guarded_free(m->q);
    guarded_free(m->k);
    guarded_free(m->v);
    guarded_free(m->out);
    if (m->mask.map)
        guarded_free(m->mask);
}

static double at(const attention_operand *x, int b, int h, int t, int d)
{
    return float_get(x->data, x->dtype, (size_t)(b * x->batch + h * x->head + t * x->row + d));
}

static double score(const attention_args *a, int b, int h, int i, int j)
{
    double sum = 0;
    for (int d = 0; d < a->dim; d++)
        sum += at(&a->q, b, h, i, d) * at(&a->k, b, h / (a->heads / a->kv_heads), j, d);
    sum *= (double)a->scale;
    if (a->kind == MX_MASK_CAUSAL && j > i + a->keys - a->queries)
        return -(double)INFINITY;
    if (a->kind == MX_MASK_ARRAY) {
        size_t n = (size_t)(b * a->ms[0] + h * a->ms[1] + i * a->ms[2] + j * a->ms[3]);
        if (a->mask_dtype == MLX_BOOL)
            return ((const uint8_t *)a->mask)[n] ? sum : -(double)INFINITY;
        sum += float_get(a->mask, a->mask_dtype, n);
    }
    return sum;
}

/* One row of the answer; false when the row sees nothing. */
static bool oracle(const attention_args *a, int b, int h, int i, double *want)
{
    double max = -(double)INFINITY, total = 0, *s = test_malloc((size_t)a->keys * sizeof *s + 1);
    for (int j = 0; j < a->keys; j++) {
        s[j] = score(a, b, h, i, j);
        max = fmax(max, s[j]);
    }
    memset(want, 0, (size_t)a->v_dim * sizeof *want);
    for (int j = 0; j < a->keys; j++) {
        double p = isinf(s[j]) ? 0 : exp(s[j] - max);
        total += p;
        for (int d = 0; d < a->v_dim; d++)
            want[d] += p * at(&a->v, b, h / (a->heads / a->kv_heads), j, d);
    }
    for (int d = 0; d < a->v_dim; d++)
        want[d] /= total;
    test_free(s);
    return total > 0;
}

static void check(const attention_args *a)
{
    double *want = test_malloc((size_t)a->v_dim * sizeof *want);
    for (int b = 0; b < a->batch; b++)
        for (int h = 0; h < a->heads; h++)
            for (int i = 0; i < a->queries; i++) {
                bool any = oracle(a, b, h, i, want);
                for (int d = 0; d < a->v_dim; d++) {
                    size_t n = (size_t)(b * a->out_batch + h * a->out_head + i * a->out_row + d);
                    double got = float_get(a->out, a->out_dtype, n);
                    if (any ? !float_close(got, want[d], 2e-6 + format_error(a->out_dtype, want[d]))
                            : !isnan(got))
                        fail_msg("H %d/%d L %d S %d D %d/%d mask %d: [%d %d %d %d] is %.9g, not %.9g",
                                 a->heads, a->kv_heads, a->queries, a->keys, a->dim, a->v_dim, (int)a->kind,
                                 b, h, i, d, got, want[d]);
                }
            }
    test_free(want);
}

static void run(const cpu_kernels *t, const problem *p)
{
    memory m;
    attention_args a = make(p, &m);
    assert_int_equal(cpu_attention_with(t, &a), 0);
    check(&a);
    unmake(&m);
}

#define F32 MLX_FLOAT32, MLX_FLOAT32, MLX_FLOAT32, MLX_FLOAT32

/* Few queries and many, each side of a block of keys, one head dimension after another. */
static void shapes(void **state)
{
    (void)state;
    static const int queries[] = {1, 3, 17, 40}, keys[] = {1, 31, 128, 129, 300},
                     dims[][2] = {{8, 8}, {5, 3}, {64, 64}, {80, 80}, {33, 17}, {256, 130}};
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (size_t l = 0; l < COUNT(queries); l++)
        for (size_t s = 0; s < COUNT(keys); s++)
            for (size_t d = 0; d < COUNT(dims); d++)
                run(&t, &(problem){1, 4, (int[]){4, 2, 1}[(l + s + d) % 3], queries[l], keys[s], dims[d][0],
                                   dims[d][1], F32, MX_MASK_NONE, MLX_BOOL, FULL});
}

static void causal(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 200}, {4, 4}, {3, 130}, {50, 50}, {129, 129}, {70, 300}, {300, 300}};
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (int kv_heads = 1; kv_heads <= 4; kv_heads *= 2)
            run(&t, &(problem){2, 4, kv_heads, sizes[i][0], sizes[i][1], 16, 16, F32, MX_MASK_CAUSAL,
                               MLX_BOOL, FULL});
}

/* More queries than keys: the first ones see nothing. No keys at all: zeros. */
static void nothing_to_see(void **state)
{
    (void)state;
    cpu_kernels t;
    FOR_EACH_ISA(t)
    {
        run(&t, &(problem){1, 2, 2, 9, 4, 16, 16, F32, MX_MASK_CAUSAL, MLX_BOOL, FULL});
        run(&t, &(problem){1, 2, 1, 90, 40, 16, 16, F32, MX_MASK_CAUSAL, MLX_BOOL, FULL});
        for (int queries = 1; queries < 90; queries += 40) {
            problem p = {1, 2, 1, queries, 0, 16, 16, F32, MX_MASK_NONE, MLX_BOOL, FULL};
            memory m;
            attention_args a = make(&p, &m);
            memset(m.out.data, 0xA5, (size_t)queries * 32 * 4);
            assert_int_equal(cpu_attention_with(&t, &a), 0);
            for (int i = 0; i < queries * 32; i++)
                assert_true(((float *)m.out.data)[i] == 0);
            unmake(&m);
        }
    }
}

static void masks(void **state)
{
    (void)state;
    static const mlx_dtype types[] = {MLX_BOOL, MLX_FLOAT32, MLX_FLOAT16, MLX_BFLOAT16};
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (size_t type = 0; type < COUNT(types); type++)
        for (int shape = FULL; shape <= ROW_REPEATED; shape++)
            for (int queries = 1; queries <= 41; queries += 20)
                run(&t, &(problem){2, 4, 2, queries, 150, 24, 24, F32, MX_MASK_ARRAY, types[type],
                                   (enum mask_shape)shape});
}

/* A block of keys that is masked as a whole, before the first visible one and after. */
static void masked_blocks(void **state)
{
    (void)state;
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (int queries = 1; queries <= 41; queries += 40)
        for (int type = 0; type < 2; type++) {
            problem p = {1,           2,  2,   queries,       700,
                         16,          16, F32, MX_MASK_ARRAY, type ? MLX_FLOAT32 : MLX_BOOL,
                         ROW_REPEATED};
            memory m;
            attention_args a = make(&p, &m);
            for (int j = 0; j < 700; j++)
                if (type)
                    ((float *)m.mask.data)[j] = j / 128 == 1 || j / 128 == 4 ? 0.5f : -INFINITY;
                else
                    ((uint8_t *)m.mask.data)[j] = j / 128 == 1 || j / 128 == 4;
            assert_int_equal(cpu_attention_with(&t, &a), 0);
            check(&a);
            unmake(&m);
        }
}

static void every_mix_of_formats(void **state)
{
    (void)state;
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (int mix = 0; mix < 81; mix++)
        for (int queries = 1; queries <= 31; queries += 30)
            run(&t,
                &(problem){1, 2, 1, queries, 45, 19, 21, float_types[mix / 27], float_types[mix / 9 % 3],
                           float_types[mix / 3 % 3], float_types[mix % 3], MX_MASK_CAUSAL, MLX_BOOL, FULL});
}

/* Decode over a long history is cut along the keys. */
static void long_history(void **state)
{
    (void)state;
    cpu_kernels t;
    FOR_EACH_ISA(t)
    {
        run(&t, &(problem){1, 4, 1, 1, 5000, 32, 32, F32, MX_MASK_NONE, MLX_BOOL, FULL});
        run(&t, &(problem){1, 4, 2, 3, 2100, 32, 32, F32, MX_MASK_CAUSAL, MLX_BOOL, FULL});
        run(&t, &(problem){2, 2, 1, 2, 1100, 32, 32, F32, MX_MASK_ARRAY, MLX_BOOL, FULL});
        run(&t, &(problem){1, 80, 1, 1, 600, 16, 16, F32, MX_MASK_NONE, MLX_BOOL, FULL});
    }
}

static void threads_do_not_change_values(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 3000}, {70, 300}};
    int before = pool_threads();
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (size_t i = 0; i < COUNT(sizes); i++) {
        problem p = {1, 4, 2, sizes[i][0], sizes[i][1], 32, 32, F32, MX_MASK_CAUSAL, MLX_BOOL, FULL};
        memory m[3];
        for (int n = 0; n < 3; n++) {
            attention_args a = make(&p, &m[n]);
            pool_set_threads((int[]){1, 2, 5}[n]);
            assert_int_equal(cpu_attention_with(&t, &a), 0);
            assert_memory_equal(m[n].out.data, m[0].out.data, (size_t)sizes[i][0] * 4 * 32 * 4);
        }
        for (int n = 0; n < 3; n++)
            unmake(&m[n]);
    }
    pool_set_threads(before);
}

/* A NaN in a query spoils that row; in a visible key the rows that see it. */
static void special_values(void **state)
{
    (void)state;
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (int queries = 2; queries <= 40; queries += 38) {
        problem p = {1, 1, 1, queries, queries, 16, 16, F32, MX_MASK_CAUSAL, MLX_BOOL, FULL};
        memory m;
        attention_args a = make(&p, &m);
        ((float *)m.q.data)[3] = NAN;
        ((float *)m.k.data)[(queries - 1) * 16 + 5] = NAN;
        assert_int_equal(cpu_attention_with(&t, &a), 0);
        for (int i = 0; i < queries; i++)
            for (int d = 0; d < 16; d++)
                assert_int_equal(isnan(((float *)m.out.data)[i * 16 + d]) != 0, i == 0 || i == queries - 1);
        unmake(&m);
    }
}

static void refusals(void **state)
{
    (void)state;
    cpu_kernels t;
    cpu_kernels_fill(&t, ISA_LEVEL_portable);
    problem p = {1, 2, 1, 3, 45, 16, 16, F32, MX_MASK_NONE, MLX_BOOL, FULL};
    memory m;
    attention_args a = make(&p, &m);
    mem_fail_at(1);
    assert_int_equal(cpu_attention_with(&t, &a), -1);
    assert_error("out of memory");
    mem_fail_at(0);
    a.k.dtype = MLX_INT8;
    assert_int_equal(cpu_attention_with(&t, &a), -1);
    assert_error("attention: dtypes");
    unmake(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),         cmocka_unit_test(causal),
        cmocka_unit_test(nothing_to_see), cmocka_unit_test(masks),
        cmocka_unit_test(masked_blocks),  cmocka_unit_test(every_mix_of_formats),
        cmocka_unit_test(long_history),   cmocka_unit_test(threads_do_not_change_values),
        cmocka_unit_test(special_values), cmocka_unit_test(refusals),
    };
    return RUN_TESTS("attention", tests, pool_stop);
}
