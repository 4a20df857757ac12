/* The kernels of Fourier transforms: every instruction set against the portable one, at sizes that leave
 * parts of vectors, with operands that end where memory does. */
#include "kernels/kernel_test.h"

static cpu_kernels portable, other;

static fft_pair pair(guarded *g, size_t n, uint64_t seed)
{
    g[0] = random_floats(MLX_FLOAT32, n, seed);
    g[1] = random_floats(MLX_FLOAT32, n, seed + 99);
    return (fft_pair){g[0].data, g[1].data};
}

static void close_pairs(fft_pair a, fft_pair b, size_t n, const char *what, int size)
{
    for (size_t i = 0; i < n; i++)
        if (!float_close((double)a.re[i], (double)b.re[i], 1e-5) ||
            !float_close((double)a.im[i], (double)b.im[i], 1e-5))
            fail_msg("%s, %s %d: number %zu is %g + %gi, not %g + %gi", cpu_isa_name(other.isa), what, size,
                     i, (double)a.re[i], (double)a.im[i], (double)b.re[i], (double)b.im[i]);
}

enum { OPERANDS = 5 };
static guarded memory[OPERANDS][2];
static fft_pair operand[OPERANDS];

static void make(size_t n)
{
    for (int i = 0; i < OPERANDS; i++)
        operand[i] = pair(memory[i], n, (uint64_t)i + 7);
}

static void drop(void)
{
    for (int i = 0; i < OPERANDS; i++) {
        guarded_free(memory[i][0]);
        guarded_free(memory[i][1]);
    }
}

static void steps(void **state)
{
    (void)state;
    static float few[2][64] = {{1, 2, 3}, {-1, 1, 2}};
    static const int radices[] = {2, 3, 4, 5, 7, 8, 13}, widths[] = {1, 3, 8, 16, 21, 40};
    FOR_EACH_ISA(other)
    for (int r = 0; r < 7; r++)
        for (int w = 0; w < 6; w++)
            for (size_t m = 1; m < 4; m += 2) {
                size_t s = (size_t)widths[w], radix = (size_t)radices[r], n = radix * m * s;
                make(n);
                fft_step step = {radices[r], m, s, operand[3], operand[4]};
                if (s < 2) /* fewer numbers than factors and roots: a table of its own */
                    step.w = step.roots = (fft_pair){few[0], few[1]};
                for (size_t k = 1; k < radix; k++) /* which are 1 where i is 0 */
                    step.w.re[(k - 1) * m] = 1, step.w.im[(k - 1) * m] = 0;
                portable.fft.step(&step, operand[0], operand[1]);
                other.fft.step(&step, operand[0], operand[2]);
                close_pairs(operand[2], operand[1], n, "radix", radices[r]);
                drop();
            }
}

static void turns(void **state)
{
    (void)state;
    FOR_EACH_ISA(other)
    for (size_t rows = 1; rows < 40; rows += 7)
        for (size_t columns = 1; columns < 50; columns += 6) {
            make(rows * columns);
            portable.fft.turn(operand[0], operand[3], operand[1], rows, columns);
            other.fft.turn(operand[0], operand[3], operand[2], rows, columns);
            close_pairs(operand[2], operand[1], rows * columns, "rows", (int)rows);
            drop();
        }
}

static void reals_and_factors(void **state)
{
    (void)state;
    FOR_EACH_ISA(other)
    for (size_t n = 1; n < 40; n += 3)
        for (size_t lanes = 1; lanes < 20; lanes += 6) {
            size_t all = (n + 1) * lanes;
            make(all);
            portable.fft.real_after(operand[0], operand[1], operand[3], n, lanes);
            other.fft.real_after(operand[0], operand[2], operand[3], n, lanes);
            close_pairs(operand[2], operand[1], all, "real_after", (int)n);
            portable.fft.real_before(operand[0], operand[1], operand[3], n, lanes);
            other.fft.real_before(operand[0], operand[2], operand[3], n, lanes);
            close_pairs(operand[2], operand[1], n * lanes, "real_before", (int)n);
            portable.fft.scale_rows(operand[0], operand[3], operand[1], n, lanes);
            other.fft.scale_rows(operand[0], operand[3], operand[2], n, lanes);
            close_pairs(operand[2], operand[1], n * lanes, "scale_rows", (int)n);
            portable.fft.twist(operand[1], n, lanes, 3, 100);
            other.fft.twist(operand[2], n, lanes, 3, 100);
            close_pairs(operand[2], operand[1], n * lanes, "twist", (int)n);
            drop();
        }
}

/* What was loaded and stored again is the same, whatever the distances. */
static void moves(void **state)
{
    (void)state;
    static const ptrdiff_t strides[] = {2, 2, 10, 1, 7};
    static const ptrdiff_t gaps[] = {40, 2, 2, 33, 120};
    FOR_EACH_ISA(other)
    for (int way = 0; way < 5; way++)
        for (size_t lanes = 1; lanes < 6; lanes++)
            for (size_t n = 1; n < 17; n += 5) {
                static float from[1024], to[1024], re[128], im[128];
                ptrdiff_t lane[8], stride = way == 2 ? 2 * (ptrdiff_t)lanes : strides[way];
                bool real = way >= 3;
                for (size_t i = 0; i < 1024; i++) {
                    from[i] = (float)i;
                    to[i] = -1;
                }
                for (size_t l = 0; l < lanes; l++)
                    lane[l] = way == 1 ? (ptrdiff_t)(l * 2 * n) : (ptrdiff_t)l * gaps[way];
                fft_lines a = {from, real ? NULL : from + 1, stride, lane, lanes, n}, b = a;
                b.re = to;
                b.im = real ? NULL : to + 1;
                other.fft.load(&a, (fft_pair){re, im});
                other.fft.store(&b, (fft_pair){re, im}, 2);
                for (size_t l = 0; l < lanes; l++)
                    for (size_t j = 0; j < n; j++) {
                        ptrdiff_t at = lane[l] + (ptrdiff_t)j * stride;
                        assert_true(re[j * lanes + l] == from[at]);
                        assert_true(im[j * lanes + l] == (real ? 0 : from[at + 1]));
                        if (to[at] != 2 * from[at] || !(real || to[at + 1] == 2 * from[at + 1]))
                            fail_msg("%s, way %d, lanes %zu, n %zu: point %zu of line %zu",
                                     cpu_isa_name(other.isa), way, lanes, n, j, l);
                        to[at] = -1;
                        to[at + 1] = real ? to[at + 1] : -1;
                    }
                for (size_t i = 0; i < 1024; i++)
                    assert_true(to[i] == -1);
            }
}

int main(void)
{
    cpu_kernels_fill(&portable, ISA_LEVEL_portable);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps),
        cmocka_unit_test(turns),
        cmocka_unit_test(reals_and_factors),
        cmocka_unit_test(moves),
    };
    return RUN_TESTS("fft kernels", tests, NULL);
}
