/* What can be asked of values: type, truth, equality, order, membership.
 *
 * Equality and order are Python's: bool, int and float are one family of numbers (an integer and a float
 * compare exactly), text compares by code points, which for UTF-8 is byte order, lists and tuples by their
 * items, dicts for equality only, and other pairs have no order. */
#include "text/jinja_impl.h"

#include <math.h>
#include <string.h>

const char *j_type(jval v)
{
    static const char *const names[] = {
        [J_MISSING] = "missing",
        [J_UNDEF] = "Undefined",
        [J_NONE] = "NoneType",
        [J_BOOL] = "bool",
        [J_INT] = "int",
        [J_FLOAT] = "float",
        [J_STR] = "str",
        [J_LIST] = "list",
        [J_TUPLE] = "tuple",
        [J_DICT] = "dict",
        [J_VIEW] = "dict view",
        [J_RANGE] = "range",
        [J_ITER] = "generator",
        [J_NAMESPACE] = "Namespace",
        [J_FUNC] = "builtin_function_or_method",
        [J_MACRO] = "Macro",
        [J_LOOP] = "LoopContext",
        [J_CYCLER] = "Cycler",
        [J_JOINER] = "Joiner",
    };
    return names[v.kind];
}

bool j_truth(jctx *c, jval v)
{
    switch (v.kind) {
    case J_MISSING:
    case J_UNDEF:
    case J_NONE:
        return false;
    case J_BOOL:
    case J_INT:
        return v.i != 0;
    case J_FLOAT:
        return v.f != 0;
    case J_STR:
    case J_LIST:
    case J_TUPLE:
    case J_DICT:
    case J_VIEW:
    case J_RANGE:
    case J_LOOP:
        return j_length(c, v) != 0;
    default:
        return true;
    }
}

bool j_is_int(jval v) { return v.kind == J_INT || v.kind == J_BOOL; }
bool j_is_number(jval v) { return j_is_int(v) || v.kind == J_FLOAT; }
int64_t j_as_int(jval v) { return v.i; }
double j_as_double(jval v) { return v.kind == J_FLOAT ? v.f : (double)v.i; }

void j_need_defined(jctx *c, jval v)
{
    if (v.kind == J_UNDEF)
        j_fail(c, "%s", v.why);
}

int64_t j_need_int(jctx *c, jval v, const char *what)
{
    j_need_defined(c, v);
    if (!j_is_int(v))
        j_fail(c, "%s needs an integer, not '%s'", what, j_type(v));
    return v.i;
}

const jstr *j_need_str(jctx *c, jval v, const char *what)
{
    j_need_defined(c, v);
    if (v.kind != J_STR)
        j_fail(c, "%s needs a string, not '%s'", what, j_type(v));
    return v.s;
}

/* --- comparing --- */

static int compare_text(jctx *c, const jstr *a, const jstr *b)
{
    size_t n = a->len < b->len ? a->len : b->len;
    j_charge(c, n / 64);
    int r = n ? memcmp(a->p, b->p, n) : 0;
    return r ? (r > 0) - (r < 0) : (a->len > b->len) - (a->len < b->len);
}

/* An integer against a float, exactly. */
static int compare_mixed(int64_t i, double f)
{
    if (isnan(f))
        return 2;
    if (f >= 0x1p63)
        return -1;
    if (f < -0x1p63)
        return 1;
    double whole = floor(f);
    int64_t k = (int64_t)whole;
    return i != k ? (i > k) - (i < k) : -(f > whole);
}

static int compare_numbers(jval a, jval b)
{
    if (j_is_int(a) && j_is_int(b))
        return (a.i > b.i) - (a.i < b.i);
    if (j_is_int(a))
        return compare_mixed(a.i, b.f);
    if (j_is_int(b)) {
        int r = compare_mixed(b.i, a.f);
        return r == 2 ? 2 : -r;
    }
    return isnan(a.f) || isnan(b.f) ? 2 : (a.f > b.f) - (a.f < b.f);
}

static bool equal_dicts(jctx *c, const jdict *a, const jdict *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const jval *v = j_get(c, b, a->v[i].key);
        if (!v || !j_equal(c, a->v[i].value, *v))
            return false;
    }
    return true;
}

static bool equal_lists(jctx *c, const jlist *a, const jlist *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!j_equal(c, a->v[i], b->v[i]))
            return false;
    return true;
}

static bool equal_ranges(const jrange *a, const jrange *b)
{
    return a->n == b->n && (!a->n || (a->start == b->start && (a->n == 1 || a->step == b->step)));
}

/* Views of keys and items compare as sets; those of values by identity. */
static bool equal_views(jctx *c, const jview *a, const jview *b)
{
    if (a->what == 'v' || b->what == 'v')
        return a == b;
    if (a->what != b->what)
        return a->dict->n == 0 && b->dict->n == 0;
    if (a->what == 'i')
        return equal_dicts(c, a->dict, b->dict);
    bool same = a->dict->n == b->dict->n;
    for (size_t i = 0; same && i < a->dict->n; i++)
        same = j_get(c, b->dict, a->dict->v[i].key) != NULL;
    return same;
}

/* Of the same length. */
static bool same_bytes(jctx *c, const jstr *a, const jstr *b)
{
    j_charge(c, a->len / 64);
    return memcmp(a->p, b->p, a->len) == 0;
}

bool j_equal(jctx *c, jval a, jval b)
{
    if (j_is_number(a) && j_is_number(b))
        return compare_numbers(a, b) == 0;
    if (a.kind != b.kind)
        return false;
    j_charge(c, 0);
    j_enter(c);
    bool same;
    switch (a.kind) {
    case J_NONE:
    case J_UNDEF:
        same = true;
        break;
    case J_STR:
        same = a.s->len == b.s->len && (a.s->p == b.s->p || same_bytes(c, a.s, b.s));
        break;
    case J_LIST:
    case J_TUPLE:
        same = a.list == b.list || equal_lists(c, a.list, b.list);
        break;
    case J_DICT:
        same = a.dict == b.dict || equal_dicts(c, a.dict, b.dict);
        break;
    case J_RANGE:
        same = equal_ranges(a.range, b.range);
        break;
    case J_VIEW:
        same = equal_views(c, a.view, b.view);
        break;
    case J_FUNC:
        same = a.func == b.func || (a.func->row == b.func->row && a.func->self.kind == b.func->self.kind &&
                                    a.func->self.kind != J_MISSING && a.func->self.list == b.func->self.list);
        break;
    default:
        same = a.list == b.list;
    }
    j_leave(c);
    return same;
}

static int compare_lists(jctx *c, const jlist *a, const jlist *b, const char *op)
{
    for (size_t i = 0; i < a->n && i < b->n; i++)
        if (!j_equal(c, a->v[i], b->v[i]))
            return j_compare(c, a->v[i], b->v[i], op);
    return (a->n > b->n) - (a->n < b->n);
}

int j_compare(jctx *c, jval a, jval b, const char *op)
{
    j_charge(c, 0);
    if (j_is_number(a) && j_is_number(b))
        return compare_numbers(a, b);
    if (a.kind == J_STR && b.kind == J_STR)
        return compare_text(c, a.s, b.s);
    if (a.kind == b.kind && (a.kind == J_LIST || a.kind == J_TUPLE)) {
        j_enter(c);
        int r = compare_lists(c, a.list, b.list, op);
        j_leave(c);
        return r;
    }
    j_need_defined(c, a);
    j_need_defined(c, b);
    j_fail(c, "'%s' not supported between instances of '%s' and '%s'", op, j_type(a), j_type(b));
}

static bool range_contains(const jrange *r, jval item)
{
    if (item.kind == J_FLOAT && item.f == floor(item.f) && fabs(item.f) < 0x1p62)
        item = j_int((int64_t)item.f);
    if (!j_is_int(item) || !r->n)
        return false;
    int64_t last = j_range_at(r, r->n - 1), lo = r->step > 0 ? r->start : last;
    uint64_t unit = r->step > 0 ? (uint64_t)r->step : 0 - (uint64_t)r->step;
    return item.i >= lo && item.i <= (r->step > 0 ? last : r->start) &&
           ((uint64_t)item.i - (uint64_t)lo) % unit == 0;
}

bool j_contains(jctx *c, jval item, jval in)
{
    switch (in.kind) {
    case J_STR:
        j_charge(c, in.s->len / 64);
        return j_find(in.s, j_need_str(c, item, "'in' on a string"), 0) != SIZE_MAX;
    case J_RANGE:
        return range_contains(in.range, item);
    case J_DICT:
        if (!j_hashable(c, item))
            j_fail(c, "unhashable type: '%s'", j_type(item));
        return j_get(c, in.dict, item) != NULL;
    case J_VIEW:
        if (in.view->what == 'k')
            return j_hashable(c, item) && j_get(c, in.view->dict, item);
        break;
    default:
        break;
    }
    jiter *it = j_iter_try(c, in);
    if (!it)
        j_fail(c, "argument of type '%s' is not iterable", j_type(in));
    for (jval v; (v = j_next(c, it)).kind != J_MISSING;)
        if (j_equal(c, v, item))
            return true;
    return false;
}
