/* The sorting networks of every instruction set against a sort by comparisons, lane by lane: keys of few and
 * of many values, lengths on both sides of powers of two. */
#include "kernels/kernel_test.h"

enum { LONGEST = 300, LANES = SORT_LANES };

typedef struct element {
    uint64_t key, second;
} element;

static int compare(const void *a, const void *b)
{
    const element *p = a, *q = b;
    if (p->key != q->key)
        return p->key < q->key ? -1 : 1;
    return (p->second > q->second) - (p->second < q->second);
}

/* Element i of lane l: keys of the given bits, so that there are equal ones; the second tells them apart. */
static element made(size_t i, size_t l, int bits)
{
    uint64_t r = (i * LANES + l + 1) * 0x9e3779b97f4a7c15u;
    r = (r ^ r >> 31) * 0xbf58476d1ce4e5b9u;
    return (element){(r ^ r >> 29) >> (64 - bits), LONGEST - i};
}

static void check_lane(const element *got, size_t n, size_t l, int bits)
{
    element expected[LONGEST];
    for (size_t i = 0; i < n; i++)
        expected[i] = made(i, l, bits);
    qsort(expected, n, sizeof *expected, compare);
    for (size_t i = 0; i < n; i++) {
        assert_true(got[i].key == expected[i].key);
        assert_true(got[i].second == expected[i].second || got[i].second == 0);
    }
}

static void check(const sort_kernels *t, size_t n, int bits)
{
    guarded narrow = guarded_new(n * LANES * 4), wide = guarded_new(n * LANES * 8),
            pairs = guarded_new(n * LANES * 16);
    uint32_t *u32 = narrow.data;
    uint64_t *u64 = wide.data, *both = pairs.data;
    for (size_t i = 0; i < n; i++)
        for (size_t l = 0; l < LANES; l++) {
            element e = made(i, l, bits);
            u32[i * LANES + l] = (uint32_t)made(i, l, bits < 32 ? bits : 32).key;
            u64[i * LANES + l] = both[i * 2 * LANES + l] = e.key;
            both[(2 * i + 1) * LANES + l] = e.second;
        }
    t->u32(u32, n);
    t->u64(u64, n);
    t->pairs(both, n);
    for (size_t l = 0; l < LANES; l++) {
        element a[LONGEST], b[LONGEST], c[LONGEST];
        for (size_t i = 0; i < n; i++) {
            a[i] = (element){u32[i * LANES + l], 0};
            b[i] = (element){u64[i * LANES + l], 0};
            c[i] = (element){both[i * 2 * LANES + l], both[(2 * i + 1) * LANES + l]};
            assert_true(c[i].second != 0);
        }
        check_lane(a, n, l, bits < 32 ? bits : 32);
        check_lane(b, n, l, bits);
        check_lane(c, n, l, bits);
    }
    guarded_free(narrow), guarded_free(wide), guarded_free(pairs);
}

static void networks(void **state)
{
    (void)state;
    cpu_kernels t;
    FOR_EACH_ISA(t)
    for (int bits = 4; bits <= 64; bits += 60) {
        for (size_t n = 0; n <= 67; n++)
            check(&t.sort, n, bits);
        check(&t.sort, 127, bits);
        check(&t.sort, 128, bits);
        check(&t.sort, LONGEST, bits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(networks)};
    return RUN_TESTS("sort", tests, NULL);
}
