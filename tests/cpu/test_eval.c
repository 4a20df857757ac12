/* The CPU computes every primitive, and what it lacks is an error that names the primitive. */
#include "test.h"

#include "array/backend.h"
#include "cpu/eval.h"

/* Primitives that the CPU does not have: none now. A back end that gets one before the CPU does adds it here.
 */
static const char *const MISSING[] = {"CustomTangents" /* never computed */, NULL};

static bool known_missing(const char *name)
{
    for (size_t i = 0; MISSING[i]; i++)
        if (strcmp(MISSING[i], name) == 0)
            return true;
    return false;
}

static void every_primitive_is_computed(void **state)
{
    (void)state;
    for (int p = 1; p < PRIM_COUNT; p++) {
        const char *name = prim_table[p].name;
        bool view = prim_table[p].flags & PRIM_VIEW;
        if (view && cpu_eval_has(p))
            fail_msg("%s is a view and has a function that is never called", name);
        if (!view && cpu_eval_has(p) == known_missing(name))
            fail_msg("%s: %s", name, cpu_eval_has(p) ? "is there; take it off the list" : "has no function");
    }
}

static void a_missing_one_is_named(void **state)
{
    (void)state;
    node *n = node_new(PRIM_None, MLX_FLOAT32, NULL, 0, NULL, 0, NULL, 0);
    assert_int_equal(backend_cpu_eval(n), -1);
    assert_error("[array] has no CPU implementation");
    node_release(n);
}

static void cleanup(void) { mx_shutdown(); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_primitive_is_computed),
        cmocka_unit_test(a_missing_one_is_named),
    };
    return RUN_TESTS("eval", tests, cleanup);
}
