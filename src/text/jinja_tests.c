/* The tests of `x is name`. Each gives a bool; comparisons accept their operator's sign as a name too. */
#include "text/jinja_impl.h"

#include <string.h>

#define TEST(name, expr)                                     \
    static jval name(jctx *c, const jval *v, const jargs *a) \
    {                                                        \
        (void)c;                                             \
        (void)a;                                             \
        return j_bool(expr);                                 \
    }

static bool is_remainder(jctx *c, jval v, jval divisor, int64_t want)
{
    return j_equal(c, j_binary(c, OP_MOD, v, divisor), j_int(want));
}

static bool is_callable(jval v)
{
    return v.kind == J_UNDEF || v.kind == J_FUNC || v.kind == J_MACRO || v.kind == J_LOOP ||
           v.kind == J_JOINER;
}

static bool is_sequence(jctx *c, jval v)
{
    return v.kind != J_VIEW && v.kind != J_LOOP && j_length(c, v) >= 0;
}

/* Identity: small things are what they are, the rest by address. */
static bool is_same(jval a, jval b)
{
    if (a.kind != b.kind)
        return false;
    if (a.kind == J_STR)
        return a.s == b.s || (a.s->len == b.s->len && memcmp(a.s->p, b.s->p, a.s->len) == 0);
    return a.kind == J_NONE || a.i == b.i;
}

static bool is_known(jctx *c, jval v, const jrow *(*find)(const char *, size_t))
{
    if (!j_hashable(c, v))
        j_fail(c, "unhashable type: '%s'", j_type(v));
    return v.kind == J_STR && find(v.s->p, v.s->len);
}

TEST(t_odd, is_remainder(c, v[0], j_int(2), 1))
TEST(t_even, is_remainder(c, v[0], j_int(2), 0))
TEST(t_divisibleby, is_remainder(c, v[0], v[1], 0))
TEST(t_defined, v[0].kind != J_UNDEF)
TEST(t_undefined, v[0].kind == J_UNDEF)
TEST(t_filter, is_known(c, v[0], j_filter))
TEST(t_test, is_known(c, v[0], j_test))
TEST(t_none, v[0].kind == J_NONE)
TEST(t_boolean, v[0].kind == J_BOOL)
TEST(t_false, v[0].kind == J_BOOL && !v[0].i)
TEST(t_true, v[0].kind == J_BOOL && v[0].i)
TEST(t_integer, v[0].kind == J_INT)
TEST(t_float, v[0].kind == J_FLOAT)
TEST(t_lower, j_str_is(c, "islower", j_str(c, v[0])))
TEST(t_upper, j_str_is(c, "isupper", j_str(c, v[0])))
TEST(t_string, v[0].kind == J_STR)
TEST(t_mapping, v[0].kind == J_DICT)
TEST(t_number, j_is_number(v[0]))
TEST(t_sequence, is_sequence(c, v[0]))
TEST(t_iterable, v[0].kind == J_LOOP || j_iter_try(c, v[0]) != NULL)
TEST(t_callable, is_callable(v[0]))
TEST(t_sameas, is_same(v[0], v[1]))
TEST(t_escaped, v[0].kind == J_STR && v[0].safe)
TEST(t_in, j_contains(c, v[0], v[1]))
TEST(t_eq, j_relation(c, OP_EQ, v[0], v[1]))
TEST(t_ne, j_relation(c, OP_NE, v[0], v[1]))
TEST(t_gt, j_relation(c, OP_GT, v[0], v[1]))
TEST(t_ge, j_relation(c, OP_GE, v[0], v[1]))
TEST(t_lt, j_relation(c, OP_LT, v[0], v[1]))
TEST(t_le, j_relation(c, OP_LE, v[0], v[1]))

const jrow j_tests[] = {
    {"odd", "", t_odd},
    {"even", "", t_even},
    {"divisibleby", "num", t_divisibleby},
    {"defined", "", t_defined},
    {"undefined", "", t_undefined},
    {"filter", "", t_filter},
    {"test", "", t_test},
    {"none", "", t_none},
    {"boolean", "", t_boolean},
    {"false", "", t_false},
    {"true", "", t_true},
    {"integer", "", t_integer},
    {"float", "", t_float},
    {"lower", "", t_lower},
    {"upper", "", t_upper},
    {"string", "", t_string},
    {"mapping", "", t_mapping},
    {"number", "", t_number},
    {"sequence", "", t_sequence},
    {"iterable", "", t_iterable},
    {"callable", "", t_callable},
    {"sameas", "other", t_sameas},
    {"escaped", "", t_escaped},
    {"in", "seq", t_in},
    {"==", ".b", t_eq},
    {"eq", ".b", t_eq},
    {"equalto", ".b", t_eq},
    {"!=", ".b", t_ne},
    {"ne", ".b", t_ne},
    {">", ".b", t_gt},
    {"gt", ".b", t_gt},
    {"greaterthan", ".b", t_gt},
    {">=", ".b", t_ge},
    {"ge", ".b", t_ge},
    {"<", ".b", t_lt},
    {"lt", ".b", t_lt},
    {"lessthan", ".b", t_lt},
    {"<=", ".b", t_le},
    {"le", ".b", t_le},
    {0},
};
