/* The law of files, for every case of cases.h: a function that was exported and imported again gives the same
 * numbers, to the bit. So every primitive that a function can be made of can be in a file. Of what is in
 * these files any bytes may change: then there is an error, or a function that computes something. */
#include "laws/cases.h"

#include "base/file.h"
#include "base/mem.h"
#include "mx/export.h"
#include "transforms/import.h"

#include <stdlib.h>
#include <unistd.h>

static char path[] = "mica-test-laws-export-XXXXXX";

static int build(void *user, const mlx_array *in, size_t n, mx_arrays *out)
{
    const law *l = user;
    (void)n;
    return mx_arrays_add(out, l->build(in));
}

static void must(bool ok, const law *l, const char *what)
{
    if (ok && !error_pending())
        return;
    mx_failed();
    fail_msg("%s, %s: %s", l->name, what, mx_error_text());
}

static void export(const law *l, const mlx_array *x)
{
    mx_function_exporter *e = mx_function_exporter_new(path, build, (void *)(uintptr_t)l, false);
    must(e && mx_function_exporter_apply(e, x, (size_t)l->n_inputs, NULL, NULL, 0) == 0, l, "export");
    mx_function_exporter_free(e);
}

static int note(void *user, const graph *g)
{
    bool *met = user;
    for (size_t i = g->n_inputs; i < g->count; i++)
        met[g->nodes[i]->prim] = true;
    return 0;
}

static void check(const law *l, bool *met)
{
    static char got[MAX_SIZE * 8], expected[MAX_SIZE * 8];
    mlx_array x[MAX_INPUTS];
    mx_arrays out = {0};
    seed = 11;
    for (int i = 0; i < l->n_inputs; i++) {
        x[i] = in_layout(dense_input(&l->in[i]), SWAPPED);
        must(mx_eval(x[i]) == 0, l, "inputs");
    }
    export(l, x);
    mx_imported_function *f = mx_imported_function_new(path);
    must(f && mx_imported_function_apply(f, x, (size_t)l->n_inputs, NULL, NULL, 0, &out) == 0, l, "import");
    import_each(f, note, met);
    mlx_array y = out.items[0], z = l->build(x);
    size_t bytes = mx_size(z) * mx_dtype_size(mx_dtype_of(z));
    assert_true(mx_ndim(y) == mx_ndim(z) && mx_dtype_of(y) == mx_dtype_of(z) && mx_size(y) == mx_size(z));
    assert_true(bytes <= sizeof got);
    must(mx_read(y, got) == 0 && mx_read(z, expected) == 0, l, "results");
    if (memcmp(got, expected, bytes) != 0)
        fail_msg("%s: the imported function gives other numbers", l->name);
    mx_arrays_free(&out);
    mx_imported_function_free(f);
}

/* What calls functions of the program, what is a constant by then, and what only the engine has: work on a
 * pool, whose bytes are one back end's business, and recurrences. */
static bool is_left_out(int prim)
{
    return prim_table[prim].flags & PRIM_CALLS || prim == PRIM_Load ||
           (prim >= PRIM_KVWrite && prim <= PRIM_SelectiveScan);
}

static void all_primitives_come_back(void **state)
{
    (void)state;
    bool met[PRIM_COUNT] = {0};
    for (int i = 0; i < LAWS; i++) {
        size_t mark = mx_mark();
        if (laws[i].skip & SKIP_EXPORT)
            continue;
        check(&laws[i], met);
        mx_release(mark);
    }
    for (int p = 1; p < PRIM_COUNT; p++)
        if (import_knows(p) == is_left_out(p))
            fail_msg("%s: should be known to files, or should not", prim_table[p].name);
        else if (!met[p] && !is_left_out(p))
            fail_msg("%s is in no file of the cases", prim_table[p].name);
}

/* A graph that takes no memory to speak of. */
static int is_large(void *user, const graph *g)
{
    (void)user;
    for (size_t i = 0; i < g->count; i++)
        if (g->nodes[i]->size > MAX_SIZE)
            return 1;
    return 0;
}

static void try_file(const law *l, const char *data, size_t size, const mlx_array *x)
{
    mx_arrays out = {0};
    mx_imported_function *f = import_read("changed", data, size);
    bool small = f && !import_each(f, is_large, NULL);
    if (small && mx_imported_function_apply(f, x, (size_t)l->n_inputs, NULL, NULL, 0, &out) == 0)
        mx_eval_all(out.items, out.count);
    mx_failed();
    mx_arrays_free(&out);
    mx_imported_function_free(f);
}

/* Some ints of the file become others, one at a time. */
static void damage(const law *l, int times)
{
    char *data;
    size_t size = 0;
    mlx_array x[MAX_INPUTS];
    for (int i = 0; i < l->n_inputs; i++)
        x[i] = dense_input(&l->in[i]);
    export(l, x);
    must(file_read(path, 1 << 24, &data, &size) == 0, l, "file");
    for (int i = 0; i < times; i++) {
        static const int values[] = {0, 1, 2, -1, 3, 7, 31, 1000000, INT32_MAX, INT32_MIN};
        size_t mark = mx_mark(), at = (size_t)draw(0, (float)(size - 4));
        char old[4];
        memcpy(old, data + at, 4);
        if (i % 3)
            memcpy(data + at, &values[(size_t)draw(0, 9.99f)], i % 3 == 1 ? 4 : 1);
        else
            data[at] = (char)(data[at] + (int)draw(-3, 3));
        try_file(l, data, size, x);
        memcpy(data + at, old, 4);
        mx_release(mark);
    }
    mem_free(data);
}

static void damaged_files_are_errors(void **state)
{
    (void)state;
    const char *times = getenv("MICA_TEST_DAMAGE"), *begin = getenv("MICA_TEST_SEED");
    seed = begin ? (uint32_t)atoi(begin) : 5;
    for (int i = 0; i < LAWS; i++) {
        size_t mark = mx_mark();
        if (!(laws[i].skip & SKIP_EXPORT))
            damage(&laws[i], times ? atoi(times) : 60);
        mx_release(mark);
    }
}

static void cleanup(void)
{
    unlink(path);
    assert_int_equal(mx_live_nodes(), 0);
    mx_shutdown();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_primitives_come_back),
        cmocka_unit_test(damaged_files_are_errors),
    };
    int file = mkstemp(path);
    if (file < 0)
        return 1;
    close(file);
    return RUN_TESTS("export laws", tests, cleanup);
}
