/* Blocks, prefixes and tables by hand: which block is taken next, what is found again, what is copied. */
#include "test.h"

#include "kv/tables.h"

enum { SIZE = 4 };

static void fill(int *tokens, size_t n, int first)
{
    for (size_t i = 0; i < n; i++)
        tokens[i] = first + (int)i;
}

/* A sequence of n tokens below root, all computed. */
static void compute(kv_blocks *b, kv_tables *t, const int *tokens, size_t n, int root)
{
    kv_copy copies[KV_GROUPS];
    size_t n_copies = 0;
    assert_ok(tables_reserve(b, t, n) == 0);
    tables_begin(b, t, root);
    size_t have = tables_match(b, t, tokens, n);
    tables_extend(b, t, have, n, copies, &n_copies);
    assert_int_equal(n_copies, 0);
    tables_commit(b, t, tokens, n);
    assert_null(blocks_check(b));
}

static size_t found(kv_blocks *b, const int *tokens, size_t n, int root)
{
    kv_tables t = {0};
    assert_ok(tables_reserve(b, &t, n) == 0);
    tables_begin(b, &t, root);
    size_t have = tables_match(b, &t, tokens, n);
    tables_release(b, &t);
    tables_free(&t);
    assert_null(blocks_check(b));
    return have;
}

static void start(kv_blocks *b, int n, int window)
{
    const kv_group group = {n, window};
    assert_ok(blocks_init(b, SIZE, &group, 1, 1) == 0);
}

static void stop(kv_blocks *b, kv_tables *t)
{
    tables_free(t);
    assert_null(blocks_check(b));
    blocks_free(b);
}

/* The oldest goes first, and of a sequence its end. */
static void test_oldest_first(void **state)
{
    (void)state;
    kv_blocks b;
    kv_tables t = {0};
    int x[16], y[16];
    fill(x, 16, 0);
    fill(y, 16, 100);
    start(&b, 8, 0);
    compute(&b, &t, x, 16, KV_NONE);
    tables_release(&b, &t);
    compute(&b, &t, y, 16, KV_NONE);
    tables_release(&b, &t);
    assert_int_equal(blocks_available(&b, 0), 8);
    assert_int_equal(found(&b, x, 16, KV_NONE), 12); /* the last token is always computed */
    assert_int_equal(found(&b, y, 16, KV_NONE), 12);
    int z[8];
    fill(z, 8, 200);
    compute(&b, &t, z, 8, KV_NONE); /* takes the two oldest: the fourth blocks of x and of y */
    assert_int_equal(found(&b, x, 16, KV_NONE), 12);
    assert_int_equal(found(&b, y, 16, KV_NONE), 12);
    tables_release(&b, &t);
    compute(&b, &t, z + 1, 7, KV_NONE); /* and then the ends of x */
    assert_int_equal(found(&b, y, 16, KV_NONE), 12);
    assert_true(found(&b, x, 16, KV_NONE) < 12);
    tables_release(&b, &t);
    blocks_drop_cached(&b);
    assert_int_equal(found(&b, y, 16, KV_NONE), 0);
    assert_int_equal(b.live, 0);
    stop(&b, &t);
}

/* The same tokens behind another beginning, or under another salt, are something else. */
static void test_salt(void **state)
{
    (void)state;
    kv_blocks b;
    kv_tables t = {0};
    int x[12];
    fill(x, 12, 0);
    start(&b, 8, 0);
    static const char *const SALTS[] = {"a", "b", "ab", "a fairly long salt that needs several nodes", ""};
    bool failed;
    int root = prefix_salt(&b, SALTS[0], 1, &failed);
    assert_false(failed || root == KV_NONE);
    compute(&b, &t, x, 12, root);
    assert_int_equal(found(&b, x, 12, root), 8);
    assert_int_equal(found(&b, x + 4, 8, root), 0);
    for (size_t i = 1; i < 5; i++) {
        int other = prefix_salt(&b, SALTS[i], strlen(SALTS[i]), &failed);
        assert_false(failed || other == root);
        assert_int_equal(found(&b, x, 12, other), 0);
        prefix_drop(&b, other);
    }
    assert_int_equal(prefix_salt(&b, "a", 1, &failed), root);
    prefix_drop(&b, root);
    prefix_drop(&b, root);
    tables_release(&b, &t);
    root = prefix_salt(&b, "a", 1, &failed); /* its blocks keep it alive */
    assert_int_equal(found(&b, x, 12, root), 8);
    prefix_drop(&b, root);
    stop(&b, &t);
}

/* Two sequences share all blocks; who writes into the last one first gets a copy of it. */
static void test_copy_on_write(void **state)
{
    (void)state;
    kv_blocks b;
    kv_tables t = {0}, u = {0};
    int x[7];
    kv_copy copies[4];
    size_t n = 0;
    fill(x, 7, 0);
    start(&b, 8, 0);
    compute(&b, &t, x, 6, KV_NONE);
    u.node = KV_NONE;
    assert_ok(tables_fork(&b, &u, &t) == 0);
    assert_int_equal(blocks_available(&b, 0), 6);
    int shared = t.of[0].blocks[1];
    assert_int_equal(tables_need(&b, &u, 0, 6, 7), 1);
    tables_extend(&b, &u, 6, 7, copies, &n);
    assert_int_equal(n, 1);
    assert_int_equal(copies[0].from, shared);
    assert_int_equal(copies[0].to, u.of[0].blocks[1]);
    assert_int_equal(u.of[0].blocks[0], t.of[0].blocks[0]);
    assert_int_not_equal(u.of[0].blocks[1], shared);
    assert_int_equal(tables_need(&b, &t, 0, 6, 7), 0); /* now alone */
    tables_extend(&b, &t, 6, 7, copies, &n);
    assert_int_equal(n, 1);
    tables_commit(&b, &u, x, 7);
    tables_release(&b, &u);
    assert_int_equal(blocks_available(&b, 0), 6);
    tables_release(&b, &t);
    assert_int_equal(blocks_available(&b, 0), 8);
    tables_free(&u);
    stop(&b, &t);
}

/* A window's blocks go back when nothing sees them, and a beginning is found if its end is there. */
static void test_window(void **state)
{
    (void)state;
    kv_blocks b;
    kv_tables t = {0};
    int x[40];
    fill(x, 40, 0);
    start(&b, 10, 6);
    compute(&b, &t, x, 40, KV_NONE);
    assert_int_equal(tables_held(&t, 0), 2); /* position 40 sees 35 to 40 */
    assert_int_equal(t.of[0].blocks[7], KV_NONE);
    tables_release(&b, &t);
    assert_int_equal(found(&b, x, 40, KV_NONE), 36);
    int y[12];
    fill(y, 12, 500);
    compute(&b, &t, y, 12, KV_NONE); /* takes the three that were left first: 0, 1, 2 */
    assert_int_equal(found(&b, x, 40, KV_NONE), 36);
    assert_int_equal(found(&b, x, 12, KV_NONE), 0);
    assert_int_equal(found(&b, x, 24, KV_NONE), 20);
    tables_release(&b, &t);
    stop(&b, &t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oldest_first),
        cmocka_unit_test(test_salt),
        cmocka_unit_test(test_copy_on_write),
        cmocka_unit_test(test_window),
    };
    return RUN_TESTS("blocks", tests, NULL);
}
