/* Quantized matrices: every instruction set's products against a double-precision oracle that reads the
 * packed bits one by one, and quantization bit for bit against the rule written out again. Operands end at a
 * page that may not be touched, and begin wherever that puts them. */
#include "test.h"

#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "kernels/half.h"

#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const int all_bits[] = {2, 3, 4, 5, 6, 8}, all_groups[] = {32, 64, 128};
static const mlx_dtype all_floats[] = {MLX_FLOAT32, MLX_FLOAT16, MLX_BFLOAT16};
static const mx_precision all_precisions[] = {MX_EXACT, MX_INT8, MX_EXACT,
                                              MX_BF16}; /* the third not turned */

/* --- numbers, memory --- */

static uint64_t state = 88172645463325252u;

static uint32_t random_bits(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

static float random_float(void) { return (float)(int32_t)random_bits() * 0x1p-31f; }

static size_t size_of(mlx_dtype t) { return t == MLX_FLOAT32 ? 4 : 2; }

static void put(void *p, mlx_dtype t, size_t i, float f)
{
    uint16_t h = t == MLX_BFLOAT16 ? f32_to_bf16(f) : f32_to_f16(f);
    memcpy((uint8_t *)p + i * size_of(t), t == MLX_FLOAT32 ? (void *)&f : (void *)&h, size_of(t));
}

static float get(const void *p, mlx_dtype t, size_t i)
{
    uint16_t h;
    float f;
    memcpy(t == MLX_FLOAT32 ? (void *)&f : (void *)&h, (const uint8_t *)p + i * size_of(t), size_of(t));
    return t == MLX_FLOAT32 ? f : t == MLX_BFLOAT16 ? bf16_to_f32(h) : f16_to_f32(h);
}

/* `size` bytes that end where a forbidden page begins. */
typedef struct guarded {
    void *base, *p;
    size_t mapped;
} guarded;

static guarded guarded_new(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (size + page - 1) / page * page;
    guarded g = {.mapped = body + page};
    g.base = mmap(NULL, g.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g.base != MAP_FAILED);
    assert_int_equal(mprotect((uint8_t *)g.base + body, page, PROT_NONE), 0);
    g.p = (uint8_t *)g.base + body - size;
    return g;
}

static void guarded_free(guarded *g)
{
    munmap(g->base, g->mapped);
    memset(g, 0, sizeof *g);
}

/* --- a random matrix and what it stands for --- */

typedef struct matrix {
    quant_matrix q;
    guarded w, scales, biases;
    double *values, *terms; /* (n, k): scale * code + bias, and |scale * code| + |bias| */
} matrix;

static unsigned code_at(const void *row, int bits, size_t i)
{
    unsigned code = 0;
    for (int b = 0; b < bits; b++) {
        size_t bit = i * (size_t)bits + (size_t)b;
        code |= (unsigned)(((const uint8_t *)row)[bit / 8] >> (bit % 8) & 1) << b;
    }
    return code;
}

static matrix matrix_new(size_t n, size_t k, int bits, int group, mlx_dtype t)
{
    size_t groups = n * (k / (size_t)group), row = k * (size_t)bits / 8;
    matrix m = {.w = guarded_new(n * row), .scales = guarded_new(groups * size_of(t))};
    m.biases = guarded_new(groups * size_of(t));
    m.q = (quant_matrix){m.w.p, m.scales.p, m.biases.p, t, bits, group, n, k};
    for (size_t i = 0; i < n * row; i++)
        ((uint8_t *)m.w.p)[i] = (uint8_t)random_bits();
    for (size_t i = 0; i < groups; i++) {
        float scale = (0.5f + fabsf(random_float())) * (i % 5 ? -1.0f : 1.0f) / (float)(1 << bits);
        put(m.scales.p, t, i, scale);
        put(m.biases.p, t, i, -scale * (float)(1 << (bits - 1)) + 0.2f * random_float());
    }
    m.values = malloc(n * k * sizeof(double));
    m.terms = malloc(n * k * sizeof(double));
    assert_true(m.values && m.terms);
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < k; i++) {
            size_t g = (r * k + i) / (size_t)group;
            unsigned code = code_at((uint8_t *)m.w.p + r * row, bits, i);
            double scaled = (double)get(m.scales.p, t, g) * code, bias = (double)get(m.biases.p, t, g);
            m.values[r * k + i] = scaled + bias;
            m.terms[r * k + i] = fabs(scaled) + fabs(bias);
        }
    return m;
}

static void matrix_free(matrix *m)
{
    guarded_free(&m->w);
    guarded_free(&m->scales);
    guarded_free(&m->biases);
    free(m->values);
    free(m->terms);
}

/* --- products --- */

typedef struct product {
    size_t m, in, out, xs;
    mlx_dtype x_dtype, y_dtype;
    bool transpose;
    mx_precision precision;
    guarded x, y;
    double *seen;       /* (m, in): the activations as the form sees them */
    double *want, *sum; /* (m, out): result, and the magnitudes of all terms that it is summed from */
    bool may_round;     /* both operands to bfloat16, where the processor multiplies these */
    double *rounded;    /* the result then */
} product;

static double to_bf16(double v) { return (double)bf16_to_f32(f32_to_bf16((float)v)); }

/* The int8 form of a group: nearest even multiple of max / 127. */
static void round_group(double *v, size_t n)
{
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf((float)v[i]));
    float up = 127.0f / most, scale = most / 127.0f;
    for (size_t i = 0; i < n; i++)
        v[i] = most > 0 ? (double)rintf((float)v[i] * up) * (double)scale : 0;
}

static product product_new(const matrix *w, size_t m, mlx_dtype xt, mlx_dtype yt, bool transpose,
                           mx_precision precision)
{
    product p = {.m = m, .x_dtype = xt, .y_dtype = yt, .transpose = transpose, .precision = precision};
    p.in = transpose ? w->q.k : w->q.n;
    p.out = transpose ? w->q.n : w->q.k;
    p.xs = p.in + random_bits() % 3;
    p.x = guarded_new(((m - 1) * p.xs + p.in) * size_of(xt));
    p.y = guarded_new(m * p.out * size_of(yt));
    p.seen = malloc(m * p.in * sizeof(double));
    p.want = calloc(m * p.out, sizeof(double));
    p.sum = calloc(m * p.out, sizeof(double));
    p.rounded = calloc(m * p.out, sizeof(double));
    assert_true(p.seen && p.want && p.sum && p.rounded);
    bool rounded = transpose && precision == MX_INT8 && (w->q.bits == 4 || w->q.bits == 8);
    bool halves = xt == MLX_BFLOAT16 && w->q.scale_dtype == MLX_BFLOAT16;
    p.may_round = transpose && !rounded && (precision != MX_EXACT || halves);
    size_t group = (size_t)w->q.group;
    for (size_t r = 0; r < m; r++) {
        for (size_t i = 0; i < p.in; i++) {
            put(p.x.p, xt, r * p.xs + i, i / 32 % 7 == 3 ? 0 : random_float());
            p.seen[r * p.in + i] = get(p.x.p, xt, r * p.xs + i);
        }
        for (size_t g = 0; rounded && g < p.in; g += group)
            round_group(p.seen + r * p.in + g, group);
    }
    for (size_t r = 0; r < m; r++)
        for (size_t i = 0; i < w->q.n * w->q.k; i++) {
            size_t from = transpose ? i % w->q.k : i / w->q.k, to = transpose ? i / w->q.k : i % w->q.k;
            double x = p.seen[r * p.in + from];
            p.want[r * p.out + to] += x * w->values[i];
            if (p.may_round)
                p.rounded[r * p.out + to] += to_bf16(x) * to_bf16(w->values[i]);
            p.sum[r * p.out + to] += fabs(x) * w->terms[i];
        }
    return p;
}

static void product_free(product *p)
{
    guarded_free(&p->x);
    guarded_free(&p->y);
    free(p->seen);
    free(p->want);
    free(p->sum);
    free(p->rounded);
}

static double worst; /* error over the sum of magnitudes, of float32 results */

static void product_check(const qmm_kernels *t, const char *isa, const matrix *w, const product *p)
{
    const double *wanted = p->may_round && t->tile_bf16 && p->m > QMM_FEW_ROWS ? p->rounded : p->want;
    /* Weights near a tie may be rounded either way. */
    double least = wanted == p->rounded ? 2e-5 : 5e-7;
    double rounding = p->y_dtype == MLX_FLOAT32 ? 0 : p->y_dtype == MLX_FLOAT16 ? 0x1p-11 : 0x1p-8;
    for (size_t i = 0; i < p->m * p->out; i++) {
        double got = get(p->y.p, p->y_dtype, i), want = wanted[i], error = fabs(got - want);
        if (!(error <= least * p->sum[i] + rounding * fabs(want) + 1e-30))
            fail_msg("%s: bits %d group %d scales %d n %zu k %zu m %zu x %d y %d transpose %d precision %d: "
                     "element %zu is "
                     "%.9g, not %.9g (magnitudes %.3g)",
                     isa, w->q.bits, w->q.group, w->q.scale_dtype, w->q.n, w->q.k, p->m, p->x_dtype,
                     p->y_dtype, p->transpose, p->precision, i, got, want, p->sum[i]);
        if (!(rounding > 0) && p->sum[i] > 0)
            worst = fmax(worst, error / p->sum[i]);
    }
}

static void run_product(const qmm_kernels *t, const matrix *w, product *p)
{
    memset(p->y.p, 0xFF, p->m * p->out * size_of(p->y_dtype));
    assert_int_equal(cpu_qmm_with(t, &w->q, p->x.p, p->x_dtype, p->xs, p->m, p->y.p, p->y_dtype, p->transpose,
                                  p->precision),
                     0);
}

static void check_all_isas(const matrix *w, product *p)
{
    static cpu_kernels t[ISA_LEVELS];
    for (cpu_isa isa = 0; isa < ISA_LEVELS; isa++) {
        if (!t[isa].qmm.panel && !cpu_kernels_fill(&t[isa], isa))
            continue;
        run_product(&t[isa].qmm, w, p);
        product_check(&t[isa].qmm, cpu_isa_name(isa), w, p);
    }
}

/* Sizes cycle independently of the formats, so that all meet. */
static void check_format(int bits, int group, mlx_dtype scales)
{
    static const size_t ns[] = {1, 33, 4, 70, 5, 31, 18, 64, 3}, ks[] = {1, 8, 3, 17, 2, 5, 20, 9, 16, 7, 4};
    static size_t turn;
    for (size_t m = 1; m <= 40; m++, turn++) {
        matrix w = matrix_new(ns[turn % 9], ks[turn % 11] * (size_t)group, bits, group, scales);
        for (int form = 0; form < 4; form++) {
            product p = product_new(&w, m, all_floats[(turn + (size_t)form) % 3], all_floats[turn / 3 % 3],
                                    form != 2, all_precisions[form]);
            check_all_isas(&w, &p);
            product_free(&p);
        }
        matrix_free(&w);
    }
}

static void test_products(void **unused)
{
    (void)unused;
    for (size_t b = 0; b < 6; b++)
        for (size_t g = 0; g < 3; g++)
            for (size_t s = 0; s < 3; s++)
                check_format(all_bits[b], all_groups[g], all_floats[s]);
    printf("worst error of a float32 result: %.2g of the sum of magnitudes\n", worst);
}

/* More than one stretch of k, more than one block of activation rows. */
static void test_large(void **unused)
{
    static const struct {
        int bits, group;
        size_t n, k, m;
        bool transpose;
    } cases[] = {{4, 64, 40, 1024 * 2 + 192, 9, true},  {8, 32, 33, 1024 + 32, 21, true},
                 {4, 32, 5, 320, 1025, true},           {8, 128, 3, 128, 513, true},
                 {3, 64, 35, 1024 + 64, 6, true},       {4, 128, 130, 640, 131, false},
                 {6, 32, 65, 256 * 3 + 96, 300, false}, {2, 128, 4, 128 * 40, 2, true},
                 {5, 32, 4, 32 * 49, 1, true}};
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        matrix w = matrix_new(cases[i].n, cases[i].k, cases[i].bits, cases[i].group, MLX_BFLOAT16);
        for (mx_precision precision = MX_EXACT; precision <= MX_BF16; precision++) {
            product p = product_new(&w, cases[i].m, MLX_FLOAT32, MLX_FLOAT32, cases[i].transpose, precision);
            check_all_isas(&w, &p);
            product_free(&p);
        }
        matrix_free(&w);
    }
}

/* --- what may not change the bits --- */

static void test_threads(void **unused)
{
    static const size_t ms[] = {1, 3, 4, 11, 70, 200};
    (void)unused;
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
        for (int form = 0; form < 4; form++) {
            matrix w = matrix_new(601, 1088, 4, 64, MLX_BFLOAT16);
            product p = product_new(&w, ms[i], MLX_FLOAT32, MLX_FLOAT32, form != 2, all_precisions[form]);
            size_t bytes = p.m * p.out * 4;
            void *first = malloc(bytes);
            assert_non_null(first);
            for (int threads = 1; threads <= 5; threads++) {
                pool_set_threads(threads);
                run_product(&cpu_kernels_get()->qmm, &w, &p);
                if (threads == 1)
                    memcpy(first, p.y.p, bytes);
                assert_memory_equal(first, p.y.p, bytes);
            }
            pool_set_threads(0);
            free(first);
            product_free(&p);
            matrix_free(&w);
        }
}

/* A row's bits do not depend on the rows beside it, within few rows, some, and many. */
static void test_batch(void **unused)
{
    (void)unused;
    for (size_t b = 0; b < 6; b++)
        for (mx_precision precision = MX_EXACT; precision <= MX_BF16; precision++) {
            matrix w = matrix_new(45, 1216, all_bits[b], 64, MLX_FLOAT16);
            product p = product_new(&w, 31, MLX_FLOAT32, MLX_FLOAT32, true, precision);
            float *many = malloc(p.m * p.out * 4), *one = malloc(p.out * 4);
            assert_true(many && one);
            run_product(&cpu_kernels_get()->qmm, &w, &p);
            memcpy(many, p.y.p, p.m * p.out * 4);
            for (p.m = 30; p.m > 0; p.m--) {
                run_product(&cpu_kernels_get()->qmm, &w, &p);
                if (p.m == QMM_FEW_ROWS || p.m == QMM_GEMV_ROWS)
                    memcpy(many, p.y.p, p.m * p.out * 4);
                assert_memory_equal(many, p.y.p, p.m * p.out * 4);
            }
            p.m = 31;
            free(many);
            free(one);
            product_free(&p);
            matrix_free(&w);
        }
}

/* --- not numbers, no memory --- */

static void test_not_finite(void **unused)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    static const size_t ms[] = {1, 7};
    cpu_kernels t;
    (void)unused;
    for (cpu_isa isa = 0; isa < ISA_LEVELS; isa++) {
        if (!cpu_kernels_fill(&t, isa))
            continue;
        for (int i = 0; i < 12; i++) {
            matrix w = matrix_new(9, 192, i & 1 ? 8 : 4, 64, MLX_BFLOAT16);
            product p = product_new(&w, ms[i / 2 % 2], MLX_FLOAT32, MLX_FLOAT32, true, MX_INT8);
            put(p.x.p, MLX_FLOAT32, (p.m - 1) * p.xs + 70, bad[i / 4]);
            run_product(&t.qmm, &w, &p);
            for (size_t n = 0; n < 9; n++) {
                assert_true(isnan(get(p.y.p, MLX_FLOAT32, (p.m - 1) * 9 + n)));
                assert_true(p.m == 1 || isfinite(get(p.y.p, MLX_FLOAT32, n)));
            }
            product_free(&p);
            matrix_free(&w);
        }
    }
}

/* Groups of zeros and of denormal numbers vanish. */
static void test_tiny(void **unused)
{
    (void)unused;
    matrix w = matrix_new(9, 192, 4, 64, MLX_BFLOAT16);
    product p = product_new(&w, 2, MLX_FLOAT32, MLX_FLOAT32, true, MX_INT8);
    for (size_t i = 0; i < 192; i++) {
        put(p.x.p, MLX_FLOAT32, i, i < 64 ? 0 : 1e-40f * (float)(i % 7));
        put(p.x.p, MLX_FLOAT32, p.xs + i, 0);
    }
    run_product(&cpu_kernels_get()->qmm, &w, &p);
    for (size_t i = 0; i < 18; i++)
        assert_true(fabsf(get(p.y.p, MLX_FLOAT32, i)) < 1e-35f);
    product_free(&p);
    matrix_free(&w);
}

static void test_no_memory(void **unused)
{
    static const size_t ms[] = {1, 9};
    (void)unused;
    for (int i = 0; i < 4; i++) {
        matrix w = matrix_new(9, 192, 4, 64, MLX_BFLOAT16);
        product p = product_new(&w, ms[i % 2], MLX_BFLOAT16, MLX_BFLOAT16, i < 2, MX_INT8);
        mem_fail_at(1);
        assert_int_equal(
            cpu_qmm(&w.q, p.x.p, p.x_dtype, p.xs, p.m, p.y.p, p.y_dtype, p.transpose, p.precision), -1);
        assert_true(mem_fail_fired());
        mem_fail_at(0);
        assert_true(error_pending());
        error_clear();
        product_free(&p);
        matrix_free(&w);
    }
}

/* --- quantization --- */

/* The rule, written from its description. Returns the codes and sets scale and bias, in float32. */
static void rule(const float *w, int n, int bits, unsigned *codes, float *scale, float *bias)
{
    float lo = w[0], hi = w[0], top = (float)((1u << bits) - 1u), edge;
    for (int i = 1; i < n; i++) {
        lo = fminf(lo, w[i]);
        hi = fmaxf(hi, w[i]);
    }
    *scale = fmaxf((hi - lo) / top, 1e-7f);
    *bias = 0;
    edge = lo;
    if (fabsf(lo) <= fabsf(hi)) {
        *scale = -*scale;
        edge = hi;
    }
    float q0 = nearbyintf(edge / *scale);
    if (q0 != 0.0f) {
        *scale = edge / q0;
        *bias = edge;
    }
    for (int i = 0; i < n; i++) {
        float q = nearbyintf((w[i] - *bias) / *scale);
        codes[i] = (unsigned)(q < 0 ? 0 : q > top ? top : q);
    }
}

/* Kinds of groups: mixed signs, constant, negative only, positive only, zeros, tiny, one outlier, ties of
 * magnitude. */
static float sample(size_t group, int i)
{
    float r = random_float();
    switch (group % 8) {
    case 1:
        return group & 8 ? 0.375f : -1.5f;
    case 2:
        return -fabsf(r) - 0.01f;
    case 3:
        return fabsf(r) * 3;
    case 4:
        return group & 8 ? -0.0f : 0.0f;
    case 5:
        return r * 1e-7f;
    case 6:
        return i == 5 ? 100.0f : r;
    case 7:
        return i % 2 ? 1.0f : -1.0f;
    default:
        return r * 0.05f;
    }
}

static void check_quantize(int bits, int group, mlx_dtype t)
{
    const size_t groups = 700, n = groups * (size_t)group, bytes = n * (size_t)bits / 8;
    guarded w = guarded_new(n * size_of(t)), q = guarded_new(bytes), back = guarded_new(n * 4);
    guarded scales = guarded_new(groups * size_of(t)), biases = guarded_new(groups * size_of(t));
    for (size_t i = 0; i < n; i++)
        put(w.p, t, i, sample(i / (size_t)group, (int)(i % (size_t)group)));
    cpu_quantize(w.p, t, groups, group, bits, q.p, scales.p, biases.p);
    cpu_dequantize(q.p, scales.p, biases.p, t, groups, group, bits, back.p, MLX_FLOAT32);
    for (size_t g = 0; g < groups; g++) {
        float v[128] = {0}, scale, bias;
        unsigned codes[128];
        uint8_t expected[8];
        for (int i = 0; i < group; i++)
            v[i] = get(w.p, t, g * (size_t)group + (size_t)i);
        rule(v, group, bits, codes, &scale, &bias);
        put(expected, t, 0, scale);
        put(expected, t, 1, bias);
        assert_memory_equal(expected, (uint8_t *)scales.p + g * size_of(t), size_of(t));
        assert_memory_equal(expected + size_of(t), (uint8_t *)biases.p + g * size_of(t), size_of(t));
        for (int i = 0; i < group; i++) {
            size_t at = g * (size_t)group + (size_t)i;
            assert_int_equal(code_at(q.p, bits, at), codes[i]);
            float scaled = (float)codes[i] * get(scales.p, t, g);
            assert_true(get(back.p, MLX_FLOAT32, at) == scaled + get(biases.p, t, g));
        }
    }
    guarded_free(&w);
    guarded_free(&q);
    guarded_free(&back);
    guarded_free(&scales);
    guarded_free(&biases);
}

static void test_quantize(void **unused)
{
    (void)unused;
    for (size_t b = 0; b < 6; b++)
        for (size_t g = 0; g < 3; g++)
            for (size_t t = 0; t < 3; t++)
                check_quantize(all_bits[b], all_groups[g], all_floats[t]);
}

/* A case worked out by hand: 0..7 over 31 steps, the maximum ties with nothing, so scale < 0 and bias = 7. */
static void test_quantize_by_hand(void **unused)
{
    float w[32], scale, bias;
    uint32_t q[4];
    (void)unused;
    for (int i = 0; i < 32; i++)
        w[i] = (float)(i % 16);
    cpu_quantize(w, MLX_FLOAT32, 1, 32, 4, q, &scale, &bias);
    assert_true(scale == -1.0f && bias == 15.0f);
    for (int i = 0; i < 4; i++)
        assert_int_equal(q[i], i % 2 ? 0x01234567u : 0x89ABCDEFu);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantize_by_hand), cmocka_unit_test(test_quantize),
        cmocka_unit_test(test_products),         cmocka_unit_test(test_large),
        cmocka_unit_test(test_threads),          cmocka_unit_test(test_batch),
        cmocka_unit_test(test_not_finite),       cmocka_unit_test(test_tiny),
        cmocka_unit_test(test_no_memory)};
    return RUN_TESTS("qmm", tests, pool_stop);
}
