/* The methods of lists, tuples, ranges, dicts and numbers that a sandboxed template may call. */
#include "text/jinja_impl.h"

#include <math.h>

static jval l_count(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    int64_t n = 0;
    jiter *it = j_iter(c, v[0]);
    for (jval item; (item = j_next(c, it)).kind != J_MISSING;)
        n += j_equal(c, item, v[1]);
    return j_int(n);
}

static jval l_index(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    int64_t n = j_length(c, v[0]), i = 0;
    int64_t from = v[2].kind == J_MISSING ? 0 : j_need_int(c, v[2], "index()");
    int64_t to = v[3].kind == J_MISSING ? n : j_need_int(c, v[3], "index()");
    from = from < 0 ? from + n : from;
    to = to < 0 ? to + n : to;
    jiter *it = j_iter(c, v[0]);
    for (jval item; (item = j_next(c, it)).kind != J_MISSING; i++)
        if (i >= from && i < to && j_equal(c, item, v[1]))
            return j_int(i);
    j_fail(c, "the value is not in the list");
}

static jval l_copy(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return j_collect(c, v[0], J_LIST);
}

/* jinja2's sandbox does not list pop and clear among what changes a list, and templates use them. */
static jval l_pop(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    jlist *l = v[0].list;
    int64_t n = (int64_t)l->n, i = v[1].kind == J_MISSING ? -1 : j_need_int(c, v[1], "pop()");
    i = i < 0 ? i + n : i;
    if (i < 0 || i >= n)
        j_fail(c, n ? "pop index out of range" : "pop from empty list");
    jval item = l->v[i];
    for (int64_t k = i; k + 1 < n; k++)
        l->v[k] = l->v[k + 1];
    j_charge(c, (size_t)(n - i) / 8);
    l->n--;
    return item;
}

static jval l_clear(jctx *c, const jval *v, const jargs *a)
{
    (void)c;
    (void)a;
    v[0].list->n = 0;
    return j_none();
}

static jval d_get(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    if (!j_hashable(c, v[1]))
        j_fail(c, "unhashable type: '%s'", j_type(v[1]));
    const jval *m = j_get(c, v[0].dict, v[1]);
    return m ? *m : v[2].kind == J_MISSING ? j_none() : v[2];
}

static jval view(jctx *c, jdict *d, char what)
{
    jview *w = j_alloc(c, 1, sizeof *w);
    *w = (jview){d, what};
    return (jval){.kind = J_VIEW, .view = w};
}

static jval d_keys(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return view(c, v[0].dict, 'k');
}
static jval d_values(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return view(c, v[0].dict, 'v');
}
static jval d_items(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return view(c, v[0].dict, 'i');
}

static jval d_copy(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    jval d = j_dict(c);
    for (size_t i = 0; i < v[0].dict->n; i++)
        j_put(c, d.dict, v[0].dict->v[i].key, v[0].dict->v[i].value);
    return d;
}

static jval d_fromkeys(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    jval d = j_dict(c);
    jiter *it = j_iter(c, v[1]);
    for (jval key; (key = j_next(c, it)).kind != J_MISSING;)
        j_put(c, d.dict, key, v[2].kind == J_MISSING ? j_none() : v[2]);
    return d;
}

static jval n_bit_length(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    int64_t bits = 0;
    if (v[0].kind == J_FLOAT)
        j_fail(c, "'float' object has no attribute 'bit_length'");
    for (uint64_t u = v[0].i < 0 ? 0 - (uint64_t)v[0].i : (uint64_t)v[0].i; u; u >>= 1)
        bits++;
    return j_int(bits);
}

static jval n_is_integer(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    if (v[0].kind != J_FLOAT)
        j_fail(c, "'int' object has no attribute 'is_integer'");
    return j_bool(isfinite(v[0].f) && v[0].f == floor(v[0].f));
}

const jrow j_list_methods[] = {
    {"count", ".value", l_count}, {"index", ".value .start? .stop?", l_index},
    {"copy", "", l_copy},         {"pop", ".index?", l_pop},
    {"clear", "", l_clear},       {0},
};
const jrow j_tuple_methods[] = {
    {"count", ".value", l_count}, {"index", ".value .start? .stop?", l_index}, {0}};
const jrow j_dict_methods[] = {
    {"get", ".key .default?", d_get},
    {"keys", "", d_keys},
    {"values", "", d_values},
    {"items", "", d_items},
    {"copy", "", d_copy},
    {"fromkeys", ".iterable .value?", d_fromkeys},
    {0},
};
const jrow j_number_methods[] = {{"bit_length", "", n_bit_length}, {"is_integer", "", n_is_integer}, {0}};
