/* Matrix products: every building block and the drivers, for every instruction set, against sums in double.
 */
#include "kernel_test.h"

#include "cpu/pool.h"

#define COUNT(x) (sizeof(x) / sizeof *(x))

typedef struct problem {
    size_t m, n, k;
    mlx_dtype a, b, c;
    bool a_columns, b_columns; /* stored by columns (rs = 1) */
    size_t pad;                /* extra elements between rows or columns, and between rows of c */
} problem;

/* An (r, c) matrix of random values with `pad` elements between its lines, ending at a guard page. */
static gemm_matrix matrix(mlx_dtype t, size_t r, size_t c, bool columns, size_t pad, uint64_t seed,
                          guarded *memory)
{
    size_t lines = columns ? c : r, length = columns ? r : c;
    *memory = random_floats(t, lines && length ? (lines - 1) * (length + pad) + length : 0, seed);
    int64_t step = (int64_t)(length + pad);
    return (gemm_matrix){memory->data, t, columns ? 1 : step, columns ? step : 1};
}

static double element(const gemm_matrix *x, size_t i, size_t j)
{
    return float_get(x->data, x->dtype, (size_t)((int64_t)i * x->rs + (int64_t)j * x->cs));
}

static void check(const gemm_kernels *t, const problem *p, const gemm_matrix *a, const gemm_matrix *b,
                  const void *c)
{
    size_t ldc = p->n + p->pad;
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            double sum = 0, size = 0;
            for (size_t q = 0; q < p->k; q++) {
                double x = element(a, i, q) * element(b, q, j);
                sum += x;
                size += fabs(x);
            }
            double got = float_get(c, p->c, i * ldc + j),
                   tolerance = size * 0x1p-22 + format_error(p->c, sum);
            if (!float_close(got, sum, tolerance))
                fail_msg("mr %zu: (%zu, %zu, %zu) types %d %d %d columns %d %d pad %zu: [%zu, %zu] is %.9g, "
                         "not %.9g",
                         t->mr, p->m, p->n, p->k, p->a, p->b, p->c, p->a_columns, p->b_columns, p->pad, i, j,
                         got, sum);
        }
    for (size_t i = 0; p->n && i + 1 < p->m; i++) /* what lies between rows is not ours */
        for (size_t j = p->n; j < ldc; j++)
            assert_int_equal(((const unsigned char *)c)[(i * ldc + j) * float_size(p->c)], 0xA5);
}

static void run(const gemm_kernels *t, const problem *p)
{
    guarded am, bm, cm;
    gemm_matrix a = matrix(p->a, p->m, p->k, p->a_columns, p->pad, 1, &am);
    gemm_matrix b = matrix(p->b, p->k, p->n, p->b_columns, p->pad, 2, &bm);
    size_t ldc = p->n + p->pad, count = p->m && p->n ? (p->m - 1) * ldc + p->n : 0;
    cm = guarded_new(count * float_size(p->c));
    memset(cm.data, 0xA5, count * float_size(p->c));
    assert_int_equal(cpu_gemm_with(t, p->m, p->n, p->k, a, b, cm.data, p->c, ldc), 0);
    check(t, p, &a, &b, cm.data);
    guarded_free(am);
    guarded_free(bm);
    guarded_free(cm);
}

static void awkward_sizes(void **state)
{
    (void)state;
    static const size_t ms[] = {0, 1, 2, 5, 13, 24, 25, 40}, ns[] = {0, 1, 3, 15, 16, 17, 33, 65},
                        ks[] = {0, 1, 3, 15, 16, 17, 31, 70};
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (size_t i = 0; i < COUNT(ms); i++)
        for (size_t j = 0; j < COUNT(ns); j++)
            for (size_t q = 0; q < COUNT(ks); q++)
                for (unsigned layout = 0; layout < 4; layout++)
                    run(&t.gemm, &(problem){ms[i], ns[j], ks[q], MLX_FLOAT32, float_types[(i + q) % 3],
                                            MLX_FLOAT32, layout & 1, layout >> 1, (i + j) % 3});
}

static void every_mix_of_formats(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {{1, 70, 100}, {7, 21, 33}, {30, 37, 41}, {50, 1, 77}};
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (int mix = 0; mix < 27; mix++)
            for (unsigned layout = 0; layout < 4; layout++)
                run(&t.gemm, &(problem){sizes[s][0], sizes[s][1], sizes[s][2], float_types[mix / 9],
                                        float_types[mix / 3 % 3], float_types[mix % 3], layout & 1,
                                        layout >> 1, (size_t)mix % 2});
}

/* Several blocks of k, of columns and of rows. */
static void large_sizes(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {{31, 1100, 300}, {1000, 40, 260}, {250, 300, 530}, {6, 1300, 40}};
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (unsigned layout = 0; layout < 4; layout++)
            run(&t.gemm, &(problem){sizes[s][0], sizes[s][1], sizes[s][2], float_types[layout % 3],
                                    MLX_FLOAT32, float_types[(s + layout) % 3], layout & 1, layout >> 1, 1});
}

/* Both in bfloat16: pairs along k, panels of 32 columns, rows by twelve. */
static void bfloat16(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {{13, 32, 64},  {24, 33, 31},  {41, 9, 1},
                                      {25, 64, 2},   {33, 31, 257}, {64, 100, 300},
                                      {530, 70, 70}, {15, 300, 33}, {100, 47, 515}};
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (unsigned layout = 0; layout < 4; layout++)
            run(&t.gemm, &(problem){sizes[s][0], sizes[s][1], sizes[s][2], MLX_BFLOAT16, MLX_BFLOAT16,
                                    float_types[(s + layout) % 3], layout & 1, layout >> 1, s % 3});
}

static void float64(void **state)
{
    (void)state;
    cpu_kernels t;
    cpu_kernels_fill(&t, ISA_LEVEL_portable);
    for (unsigned layout = 0; layout < 4; layout++)
        run(&t.gemm,
            &(problem){9, 11, 13, MLX_FLOAT64, MLX_FLOAT64, MLX_FLOAT64, layout & 1, layout >> 1, 2});
    run(&t.gemm, &(problem){9, 11, 0, MLX_FLOAT64, MLX_FLOAT64, MLX_FLOAT64, false, false, 2});
}

/* Strides that are neither 1 nor ascending: every second column, a repeated row, rows from the last to the
 * first. */
static void odd_strides(void **state)
{
    (void)state;
    enum { M = 30, N = 37, K = 41 };
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (size_t m = 1; m <= M; m += 29)
        for (int kind = 0; kind < 3; kind++) {
            guarded am = random_floats(MLX_FLOAT32, M * K * 2, 3),
                    bm = random_floats(MLX_BFLOAT16, K * N * 2, 4);
            gemm_matrix a = {am.data, MLX_FLOAT32, 2 * K, 2}, b = {bm.data, MLX_BFLOAT16, 2, 2 * K};
            if (kind == 1)
                a.rs = 0, a.cs = 1, b.cs = 0, b.rs = 1;
            if (kind == 2) {
                a = (gemm_matrix){(float *)am.data + (M - 1) * K, MLX_FLOAT32, -K, 1};
                b = (gemm_matrix){(uint16_t *)bm.data + (N - 1) * K, MLX_BFLOAT16, 1, -K};
            }
            float c[M * N];
            problem p = {m, N, K, MLX_FLOAT32, MLX_BFLOAT16, MLX_FLOAT32, false, false, 0};
            assert_int_equal(cpu_gemm_with(&t.gemm, m, N, K, a, b, c, MLX_FLOAT32, N), 0);
            check(&t.gemm, &p, &a, &b, c);
            guarded_free(am);
            guarded_free(bm);
        }
}

static void threads_do_not_change_values(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {{1, 3000, 300}, {9, 2000, 200}, {200, 400, 600}, {500, 40, 300}};
    cpu_kernels t;
    int before = pool_threads();
    FOR_EACH_ISA(t)
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (int kind = 0; kind < 4; kind++) {
            size_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2];
            guarded am, bm, c[3];
            gemm_matrix a = matrix(MLX_BFLOAT16, m, k, false, 0, 5, &am);
            gemm_matrix b = matrix(kind < 2 ? MLX_FLOAT32 : MLX_BFLOAT16, k, n, kind & 1, 0, 6, &bm);
            for (int i = 0; i < 3; i++) {
                pool_set_threads((int[]){1, 2, 5}[i]);
                c[i] = guarded_new(m * n * 4);
                assert_int_equal(cpu_gemm_with(&t.gemm, m, n, k, a, b, c[i].data, MLX_FLOAT32, n), 0);
                assert_memory_equal(c[i].data, c[0].data, m * n * 4);
            }
            for (int i = 0; i < 3; i++)
                guarded_free(c[i]);
            guarded_free(am);
            guarded_free(bm);
        }
    pool_set_threads(before);
}

/* NaN and inf reach exactly the elements that they should. */
static void special_values(void **state)
{
    (void)state;
    enum { N = 35, K = 37 };
    static const size_t ms[] = {1, 5, 30};
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (size_t s = 0; s < COUNT(ms); s++)
        for (int columns = 0; columns < 2; columns++) {
            size_t m = ms[s];
            guarded am, bm;
            gemm_matrix a = matrix(MLX_FLOAT32, m, K, false, 0, 7, &am);
            gemm_matrix b = matrix(MLX_BFLOAT16, K, N, columns, 0, 8, &bm);
            ((float *)am.data)[(m - 1) * K + K - 1] = NAN;
            float_set(bm.data, MLX_BFLOAT16, columns ? 3 * K + 2 : 2 * N + 3, (double)INFINITY);
            ((float *)am.data)[2] = 0;
            float *c = test_malloc(m * N * sizeof *c);
            assert_int_equal(cpu_gemm_with(&t.gemm, m, N, K, a, b, c, MLX_FLOAT32, N), 0);
            for (size_t i = 0; i < m; i++)
                for (size_t j = 0; j < N; j++) {
                    bool nan = i == m - 1 || (i == 0 && j == 3);
                    assert_int_equal(isnan(c[i * N + j]) != 0, nan);
                    assert_int_equal(isinf(c[i * N + j]) != 0, !nan && j == 3);
                }
            test_free(c);
            guarded_free(am);
            guarded_free(bm);
        }
}

static void conversions(void **state)
{
    (void)state;
    static float wide[65536], all[65536];
    static uint16_t bits[65536], back[65536];
    for (size_t i = 0; i < 65536; i++)
        bits[i] = (uint16_t)i;
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (int slot = 1; slot < 3; slot++) {
        t.gemm.widen[slot](bits, 1, 65536, wide);
        t.gemm.narrow[slot](wide, 65536, back);
        for (size_t i = 0; i < 65536; i++) {
            float want = slot == 1 ? f16_to_f32(bits[i]) : bf16_to_f32(bits[i]);
            assert_true(float_close((double)wide[i], (double)want, 0));
            assert_true(isnan(want) ? isnan(float_get(back, float_types[slot], i)) : back[i] == bits[i]);
        }
        for (size_t i = 0; i < 65536; i++) /* ties, carries into the exponent, overflow, denormals */
            all[i] = f32_from_bits((uint32_t)i << 16 | (uint32_t[]){0x8000, 0x7FFF, 0x1000, 0xEFFF}[i % 4]);
        t.gemm.narrow[slot](all, 65536, back);
        for (size_t i = 0; i < 65536; i++) {
            uint16_t want = slot == 1 ? f32_to_f16(all[i]) : f32_to_bf16(all[i]);
            assert_true(isnan(all[i]) ? isnan(float_get(back, float_types[slot], i)) : back[i] == want);
        }
        for (size_t n = 0; n < 40; n++) { /* nothing past n */
            memset(back, 0xA5, sizeof back);
            t.gemm.narrow[slot](all, n, back);
            assert_int_equal(back[n], 0xA5A5);
            t.gemm.widen[slot](bits, 3, n, wide);
            for (size_t i = 0; i < n; i++)
                assert_true(wide[i] ==
                            (slot == 1 ? f16_to_f32((uint16_t)(3 * i)) : bf16_to_f32((uint16_t)(3 * i))));
        }
    }
}

static void no_memory(void **state)
{
    (void)state;
    cpu_kernels t;
    cpu_kernels_fill(&t, ISA_LEVEL_portable);
    float x[100] = {0}, c[100 * 100];
    gemm_matrix rows = {x, MLX_BFLOAT16, 0, 1}, wide = {x, MLX_FLOAT32, 1, 1};
    mem_fail_at(1);
    assert_int_equal(cpu_gemm_with(&t.gemm, 1, 10, 10, rows, wide, c, MLX_FLOAT32, 10), -1);
    assert_error("out of memory");
    mem_fail_at(1);
    assert_int_equal(cpu_gemm_with(&t.gemm, 50, 50, 50, wide, wide, c, MLX_FLOAT32, 50), -1);
    assert_error("out of memory");
    mem_fail_at(0);
    assert_int_equal(
        cpu_gemm_with(&t.gemm, 5, 5, 5, (gemm_matrix){x, MLX_INT32, 1, 1}, wide, c, MLX_FLOAT32, 5), -1);
    assert_error("gemm: dtypes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(awkward_sizes),
        cmocka_unit_test(every_mix_of_formats),
        cmocka_unit_test(large_sizes),
        cmocka_unit_test(bfloat16),
        cmocka_unit_test(float64),
        cmocka_unit_test(odd_strides),
        cmocka_unit_test(threads_do_not_change_values),
        cmocka_unit_test(special_values),
        cmocka_unit_test(conversions),
        cmocka_unit_test(no_memory),
    };
    return RUN_TESTS("gemm", tests, pool_stop);
}
