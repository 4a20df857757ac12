/* Products over named and listed axes, against plain loops over all indices. */
#include "ops/check.h"

#include <ctype.h>

enum { MOST = 8 };

/* Numbers that floats add up exactly. */
static mlx_array operand(const int *shape, size_t n, int seed)
{
    static float v[4096];
    size_t size = 1;
    for (size_t i = 0; i < n; i++)
        size *= (size_t)shape[i];
    for (size_t i = 0; i < size; i++)
        v[i] = (float)((int)((i * 7 + (size_t)seed * 3) % 9) - 4) / 2;
    return mx_from(v, shape, n, MLX_FLOAT32);
}

/* The subscripts without ellipses, "ab,bc->ac", by a loop over the values of all letters. */
static void by_hand(const char *subscripts, const mlx_array *x, size_t n, double *result, size_t *count)
{
    static float values[MOST][4096];
    int size[128] = {0}, at[128] = {0};
    char letters[64] = "";
    const char *term[MOST + 1], *p = subscripts;
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        term[i] = p;
        for (int d = 0; isalpha((unsigned char)*p); p++, d++) {
            if (!strchr(letters, *p))
                letters[k++] = *p;
            if (mx_shape(x[i])[d] > size[(int)*p])
                size[(int)*p] = mx_shape(x[i])[d];
        }
        assert_int_equal(mx_read_f32(x[i], values[i]), 0);
        p++;
    }
    term[n] = ++p; /* after "->" */
    *count = 1;
    for (; *p; p++)
        *count *= (size_t)size[(int)*p];
    memset(result, 0, *count * sizeof *result);
    for (bool more = true; more;) {
        double product = 1;
        for (size_t i = 0; i < n; i++) {
            size_t place = 0;
            for (int d = 0; d < mx_ndim(x[i]); d++) {
                int own = mx_shape(x[i])[d];
                place = place * (size_t)own + (size_t)(own == 1 ? 0 : at[(int)term[i][d]]);
            }
            product *= (double)values[i][place];
        }
        size_t place = 0;
        for (p = term[n]; *p; p++)
            place = place * (size_t)size[(int)*p] + (size_t)at[(int)*p];
        result[place] += product;
        more = false;
        for (size_t i = 0; i < k && !more; i++) {
            int c = letters[i];
            more = ++at[c] < size[c];
            if (!more)
                at[c] = 0;
        }
    }
}

static void check_sum(const char *subscripts, const char *plain, const mlx_array *x, size_t n)
{
    static double expected[4096];
    static float got[4096];
    size_t count;
    by_hand(plain, x, n, expected, &count);
    mlx_array y = mx_einsum(subscripts, x, n);
    if (mx_is_null(y) || mx_size(y) != count || mx_read_f32(y, got)) {
        mx_failed();
        fail_msg("%s: %zu elements, not %zu: %s", subscripts, mx_size(y), count, mx_error_text());
    }
    for (size_t i = 0; i < count; i++)
        if (fabs((double)got[i] - expected[i]) > 1e-4 * (1 + fabs(expected[i])))
            fail_msg("%s: element %zu is %g, not %g", subscripts, i, (double)got[i], expected[i]);
}
#define SUM(text, plain, ...)                                        \
    do {                                                             \
        mlx_array list_[] = {__VA_ARGS__};                           \
        check_sum(text, plain, list_, sizeof list_ / sizeof *list_); \
    } while (0)

static void sums(void **state)
{
    (void)state;
    mlx_array m = operand(SHAPE(3, 4), 1), n = operand(SHAPE(4, 5), 2), o = operand(SHAPE(5, 2), 3);
    mlx_array q = operand(SHAPE(4, 4), 4), c = operand(SHAPE(2, 3, 4), 5), d = operand(SHAPE(2, 4, 3), 6);
    mlx_array v = operand(SHAPE(4), 7), one = operand(SHAPE(1, 4), 8), s = operand(NULL, 0, 2);
    mlx_array r = operand(SHAPE(3, 2, 3, 2), 9), row = operand(SHAPE(3, 1), 1);
    SUM("ij,jk->ik", "ij,jk->ik", m, n);
    SUM(" i j , j k -> k i ", "ij,jk->ki", m, n);
    SUM("ij,jk", "ij,jk->ik", m, n);
    SUM("ba", "ba->ab", m); /* implicit output is sorted */
    SUM("ij->", "ij->", m);
    SUM("ij->j", "ij->j", m);
    SUM("ii", "ii->", q);
    SUM("ii->i", "ii->i", q);
    SUM("ijij->ji", "ijij->ji", r);
    SUM("ijij", "ijij->", r);
    SUM("i,j->ji", "i,j->ji", v, v);
    SUM("i,i", "i,i->", v, v);
    SUM(",->", ",->", s, s);
    SUM("", "->", s);
    SUM("ij,ij->ij", "ij,ij->ij", m, m);
    SUM("ij,j->i", "ij,j->i", m, v);
    SUM("ij,ij->i", "ij,ij->i", m, one); /* size 1 repeats */
    SUM("ij,ij->j", "ij,ij->j", m, one);
    SUM("ij,ij->", "ij,ij->", m, row);
    SUM("bij,bjk->bik", "bij,bjk->bik", c, d);
    SUM("bij,bjk->kib", "bij,bjk->kib", c, d);
    SUM("bij,bji->b", "bij,bji->b", c, d);
    SUM("ij,jk,kl->il", "ij,jk,kl->il", m, n, o);
    SUM("ij,jk,kl", "ij,jk,kl->il", m, n, o);
    SUM("ij,jk,kl,jj->li", "ij,jk,kl,jj->li", m, n, o, q);
    SUM("ij,j,j->", "ij,j,j->", m, v, v);
    SUM("i,j,k->kij", "i,j,k->kij", v, v, v);
    SUM("bij,bjk,jm,m->bik", "bij,bjk,jm,m->bik", c, d, q, v);
    SUM("ij,kj,lj->ikl", "ij,kj,lj->ikl", m, m, m); /* a label of three */
    SUM("Aa,aB->AB", "Aa,aB->AB", m, n);
    mx_release(0);
}

static void ellipses(void **state)
{
    (void)state;
    mlx_array c = operand(SHAPE(2, 3, 4), 5), d = operand(SHAPE(2, 4, 3), 6), m = operand(SHAPE(3, 4), 1);
    mlx_array e = operand(SHAPE(5, 1, 3, 4), 3), v = operand(SHAPE(4), 7);
    SUM("...ij,...jk->...ik", "bij,bjk->bik", c, d);
    SUM("...ij,...jk", "bij,bjk->bik", c, d);
    SUM("...ij,...ij->...i", "abij,bij->abi", e, c);
    SUM("...i->i...", "abi->iab", c);
    SUM("...", "ab->ab", m);
    SUM("i...->...", "iab->ab", c); /* "..." of no axes is fine as well */
    SUM("i...->i", "iab->i", c);
    SUM("ij...,j->i...", "ij,j->i", m, v);
    SUM("...,...->...", "abc,bc->abc", c, m);
    mx_release(0);
}

static void einsum_refuses(void **state)
{
    (void)state;
    mlx_array m = operand(SHAPE(3, 4), 1), x[3] = {m, m, m};
    CHECK_FAILS(mx_einsum("ij,jk->ik", x, 2), "does not fit size 4");
    CHECK_FAILS(mx_einsum("ij,jk->ik", x, 3), "3 operands are given for 2 subscripts");
    CHECK_FAILS(mx_einsum("ij", x, 0), "at least one operand");
    CHECK_FAILS(mx_einsum("ii->i", x, 1), "axes 0 and 1 have one subscript");
    CHECK_FAILS(mx_einsum("ijk->i", x, 1), "'ijk' does not name the axes of operand 0 with shape (3, 4)");
    CHECK_FAILS(mx_einsum("i->i", x, 1), "does not name the axes");
    CHECK_FAILS(mx_einsum("...ijk->i", x, 1), "does not name the axes");
    CHECK_FAILS(mx_einsum("ij->ii", x, 1), "names an axis twice");
    CHECK_FAILS(mx_einsum("ij->k", x, 1), "names 'k', which no operand has");
    CHECK_FAILS(mx_einsum("i1->i", x, 1), "must be letters, not '1'");
    CHECK_FAILS(mx_einsum("i..j->i", x, 1), "must be letters, not '.'");
    CHECK_FAILS(mx_einsum("...i...->i", x, 1), "2 ellipses");
    CHECK_FAILS(mx_einsum("ij->i-", x, 1), "must be letters, not '-'");
    assert_true(mx_is_null(mx_einsum("ij", (mlx_array[]){MX_NULL}, 1)));
    assert_false(mx_failed());
    mlx_array k = mx_ones(SHAPE(2, 2), MLX_INT32);
    CHECK_FAILS(mx_einsum("ij,jk->ik", (mlx_array[]){k, k}, 2), "[matmul]");
    CHECK_INTS(mx_einsum("ij,ij->ij", (mlx_array[]){k, k}, 2), 1, 1, 1, 1);
    /* nothing to add up */
    mlx_array none = mx_zeros(SHAPE(2, 0), MLX_FLOAT32);
    CHECK(mx_einsum("ij,kj->ik", (mlx_array[]){none, none}, 2), 0, 0, 0, 0, 0);
    mx_release(0);
}

/* A chain that is cheap in the right order and would need 10^10 elements at once. */
static void long_chains_are_cheap(void **state)
{
    (void)state;
    mlx_array wide = mx_ones(SHAPE(100, 100), MLX_FLOAT32), thin = mx_ones(SHAPE(100, 1), MLX_FLOAT32);
    mlx_array x[5] = {wide, wide, wide, wide, thin};
    size_t before = mx_peak_memory();
    CHECK(mx_sum(mx_einsum("ab,bc,cd,de,ef->af", x, 5), NULL, 0, false), 0, 1e10f);
    assert_true(mx_peak_memory() - before < 1 << 20);
    mx_release(0);
}

static void tensor_products(void **state)
{
    (void)state;
    mlx_array a = mx_reshape(mx_arange(0, 6, 1, MLX_FLOAT32), SHAPE(2, 3)), v = VEC(1, 2, 3);
    CHECK(mx_outer(VEC(1, 2), v), 0, 1, 2, 3, 2, 4, 6);
    CHECK(mx_outer(mx_float(3, MLX_FLOAT32), v), 0, 3, 6, 9);
    CHECK_INTS(mx_outer(mx_arange(1, 3, 1, MLX_INT32), mx_arange(0, 2, 1, MLX_INT32)), 0, 1, 0, 2);
    CHECK(mx_inner(v, v), 0, 14);
    CHECK(mx_inner(a, v), 0, 8, 26);
    CHECK(mx_inner(a, a), 0, 5, 14, 14, 50);
    CHECK(mx_inner(mx_float(2, MLX_FLOAT32), v), 0, 2, 4, 6);
    CHECK_FAILS(mx_inner(a, VEC(1, 2)), "same last dimension");
    mlx_array c = operand(SHAPE(2, 3, 4), 5), d = operand(SHAPE(4, 2, 3), 6);
    static float expected[16];
    mlx_array pair[2] = {c, d};
    assert_int_equal(mx_read_f32(mx_einsum("ijk,lij->kl", pair, 2), expected), 0);
    check(mx_tensordot(c, d, SHAPE(0, 1), SHAPE(-2, -1)), 16, expected, 1e-5f);
    CHECK(mx_tensordot_axis(a, v, 1), 0, 8, 26);
    CHECK(mx_tensordot_axis(VEC(1, 2), VEC(3, 4), 0), 0, 3, 4, 6, 8);
    assert_int_equal(mx_ndim(mx_tensordot_axis(c, d, 0)), 6);
    CHECK_FAILS(mx_tensordot_axis(a, v, 2), "2 axes cannot be summed over");
    CHECK_FAILS(mx_tensordot_axis(a, v, -1), "-1 axes cannot");
    CHECK_FAILS(mx_tensordot(a, a, SHAPE(0), SHAPE(1)), "not of one size");
    CHECK_FAILS(mx_tensordot(a, a, SHAPE(0, 0), SHAPE(0, 0)), "given twice");
    CHECK_FAILS(mx_tensordot(a, a, SHAPE(0), SHAPE(0, 1)), "1 axes of a");
    CHECK_FAILS(mx_tensordot(a, a, SHAPE(5), SHAPE(0)), "out of range");
    CHECK(mx_kron(VEC(1, 2), v), 0, 1, 2, 3, 2, 4, 6);
    CHECK(mx_kron(mx_reshape(mx_arange(1, 5, 1, MLX_FLOAT32), SHAPE(2, 2)),
                  mx_from((float[]){0, 1}, SHAPE(2, 1), MLX_FLOAT32)),
          0, 0, 0, 1, 2, 0, 0, 3, 4);
    CHECK(mx_kron(mx_float(2, MLX_FLOAT32), v), 0, 2, 4, 6);
    CHECK_FAILS(mx_kron(mx_zeros(SHAPE(0), MLX_FLOAT32), v), "must not be empty");
    mlx_array long_one = mx_broadcast_to(mx_float(1, MLX_FLOAT32), SHAPE(1 << 20));
    CHECK_FAILS(mx_kron(long_one, long_one), "Shape dimension 1099511627776 is outside the supported range");
    mx_release(0);
}

static void cleanup(void)
{
    assert_int_equal(mx_live_nodes(), 0);
    mx_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums),
        cmocka_unit_test(ellipses),
        cmocka_unit_test(einsum_refuses),
        cmocka_unit_test(long_chains_are_cheap),
        cmocka_unit_test(tensor_products),
    };
    return RUN_TESTS("einsum", tests, cleanup);
}
