/* Filters that look at the items of a sequence, or at an attribute of each: map, select, sort, groupby, join
 * ...
 *
 * An attribute is a path: "a.b.0" means item["a"]["b"][0]. map, select and their kin are generators: they
 * apply their filter or test to an item when it is asked for. */
#include "text/jinja_impl.h"

#include <string.h>

static bool is_true(jctx *c, jval v) { return v.kind != J_MISSING && j_truth(c, v); }

/* --- attribute paths --- */

typedef struct path {
    jval parts;     /* a list of keys */
    jval otherwise; /* for what is undefined, or missing */
    bool fold;      /* text is compared in lower case */
} path;

static jval path_part(jctx *c, jval s)
{
    int64_t i;
    return j_str_is(c, "isdecimal", s.s) && j_parse_int(c, s.s, 10, &i) ? j_int(i) : s;
}

static path path_of(jctx *c, jval attribute, bool fold)
{
    path p = {j_list(c, J_LIST, 0), j_missing(), fold};
    if (!j_given(attribute))
        return p;
    if (attribute.kind != J_STR) {
        j_push(c, p.parts, attribute);
        return p;
    }
    jstr dot = {.p = ".", .len = 1, .ascii = true};
    for (size_t from = 0;;) {
        size_t k = j_find(attribute.s, &dot, from), to = k == SIZE_MAX ? attribute.s->len : k;
        j_push(c, p.parts, path_part(c, j_sub(c, j_mark(attribute, false), from, to)));
        if (k == SIZE_MAX)
            return p;
        from = k + 1;
    }
}

static jval fold(jctx *c, const path *p, jval v) { return p->fold && v.kind == J_STR ? j_lower(c, v.s) : v; }

static jval path_get(jctx *c, const path *p, jval v)
{
    for (size_t i = 0; i < p->parts.list->n; i++) {
        v = j_item(c, v, p->parts.list->v[i]);
        if (v.kind == J_UNDEF && j_given(p->otherwise))
            v = p->otherwise;
    }
    return fold(c, p, v);
}

static jval *keys_of(jctx *c, const path *p, const jlist *l)
{
    jval *keys = j_alloc(c, l->n, sizeof *keys);
    for (size_t i = 0; i < l->n; i++)
        keys[i] = path_get(c, p, l->v[i]);
    return keys;
}

/* --- map, select, reject --- */

typedef struct picker {
    path path;
    const jrow *row; /* the filter or test, or NULL */
    jargs args;      /* what it gets behind the item */
    bool negate;
    jiter *items; /* NULL before the first item is asked for */
} picker;

/* The next item of what a generator walks; that it cannot be walked shows only now, as in Python. */
static jval next_item(jctx *c, jiter *it, jiter **items)
{
    if (!*items)
        *items = j_iter(c, it->from);
    return j_next(c, *items);
}

static jval next_mapped(jctx *c, jiter *it)
{
    picker *p = it->data;
    jval v = next_item(c, it, &p->items);
    if (v.kind == J_MISSING)
        return v;
    return p->row ? j_apply(c, p->row, v, &p->args) : path_get(c, &p->path, v);
}

static jval next_selected(jctx *c, jiter *it)
{
    picker *p = it->data;
    for (jval v; (v = next_item(c, it, &p->items)).kind != J_MISSING;) {
        jval tested = path_get(c, &p->path, v);
        if (p->row)
            tested = j_apply(c, p->row, tested, &p->args);
        if (j_truth(c, tested) != p->negate)
            return v;
    }
    return j_missing();
}

/* The filter or test that argument k names, with the arguments behind it. */
static void pick_row(jctx *c, picker *p, const jargs *a, size_t k, const jrow *(*find)(const char *, size_t))
{
    const jstr *name = j_need_str(c, a->v[k], "the name of a filter or test");
    p->row = find(name->p, name->len);
    if (!p->row)
        j_fail(c, "there is no filter or test named \"%.*s\"", name->len > 100 ? 100 : (int)name->len,
               name->p);
    p->args = (jargs){a->v + k + 1, a->n - k - 1, a->kw, a->n_kw};
}

static jval pick_from(jctx *c, jval from, picker *p, jval (*next)(jctx *, jiter *))
{
    picker *kept = j_alloc(c, 1, sizeof *kept);
    *kept = *p;
    if (!j_truth(c, from))
        from = j_list(c, J_LIST, 0);
    return j_generator(c, "generator", next, from, kept);
}

static jval f_map(jctx *c, const jval *v, const jargs *a)
{
    picker p = {.path = path_of(c, j_none(), false)};
    if (a->n) {
        if (j_truth(c, v[0]))
            pick_row(c, &p, a, 0, j_filter);
        return pick_from(c, v[0], &p, next_mapped);
    }
    jval attribute = j_missing(), otherwise = j_missing();
    for (size_t i = 0; i < a->n_kw; i++) {
        const jstr *name = a->kw[i].name;
        if (name->len == 9 && memcmp(name->p, "attribute", 9) == 0)
            attribute = a->kw[i].value;
        else if (name->len == 7 && memcmp(name->p, "default", 7) == 0)
            otherwise = a->kw[i].value;
        else
            j_fail(c, "map: unexpected keyword argument '%.*s'", (int)name->len, name->p);
    }
    if (attribute.kind == J_MISSING)
        j_fail(c, "map requires a filter argument");
    p.path = path_of(c, attribute, false);
    p.path.otherwise = otherwise;
    return pick_from(c, v[0], &p, next_mapped);
}

static jval pick(jctx *c, const jval *v, const jargs *a, bool by_attr, bool negate)
{
    picker p = {.path = path_of(c, j_none(), false), .negate = negate};
    if (!j_truth(c, v[0]))
        return pick_from(c, v[0], &p, next_selected);
    if (by_attr && !a->n)
        j_fail(c, "missing parameter for attribute name");
    if (by_attr)
        p.path = path_of(c, a->v[0], false);
    if (a->n > by_attr)
        pick_row(c, &p, a, by_attr, j_test);
    return pick_from(c, v[0], &p, next_selected);
}

static jval f_select(jctx *c, const jval *v, const jargs *a) { return pick(c, v, a, false, false); }
static jval f_reject(jctx *c, const jval *v, const jargs *a) { return pick(c, v, a, false, true); }
static jval f_selectattr(jctx *c, const jval *v, const jargs *a) { return pick(c, v, a, true, false); }
static jval f_rejectattr(jctx *c, const jval *v, const jargs *a) { return pick(c, v, a, true, true); }

static jval f_attr(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    jval out;
    const jstr *name = j_need_str(c, v[1], "attr");
    j_need_defined(c, v[0]);
    if (j_attr_real(c, v[0], name, &out))
        return out;
    return j_undef(c, "'%s object' has no attribute '%.*s'", j_type(v[0]),
                   name->len > 100 ? 100 : (int)name->len, name->p);
}

/* --- ordering --- */

/* Keys for sort: one list of values an item, from paths separated by commas. */
static jval *sort_keys(jctx *c, jval attribute, bool sensitive, const jlist *l)
{
    jval *keys = j_alloc(c, l->n, sizeof *keys), paths = j_list(c, J_LIST, 1);
    jstr comma = {.p = ",", .len = 1, .ascii = true};
    for (size_t i = 0; i < l->n; i++)
        keys[i] = j_list(c, J_LIST, 1);
    if (attribute.kind != J_STR)
        j_push(c, paths, attribute);
    for (size_t from = 0, k = 0; attribute.kind == J_STR && k != SIZE_MAX; from = k + 1) {
        k = j_find(attribute.s, &comma, from);
        j_push(c, paths, j_sub(c, attribute, from, k == SIZE_MAX ? attribute.s->len : k));
    }
    for (size_t k = 0; k < paths.list->n; k++) {
        path p = path_of(c, paths.list->v[k], !sensitive);
        for (size_t i = 0; i < l->n; i++)
            j_push(c, keys[i], path_get(c, &p, l->v[i]));
    }
    return keys;
}

static jval f_sort(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    jval all = j_collect(c, v[0], J_LIST);
    const jval *keys = sort_keys(c, v[3], is_true(c, v[2]), all.list);
    j_sort(c, all.list->v, keys, all.list->n, is_true(c, v[1]));
    return all;
}

static jval extreme(jctx *c, const jval *v, int want)
{
    jval all = j_collect(c, v[0], J_LIST);
    path p = path_of(c, v[2], !is_true(c, v[1]));
    const jlist *l = all.list;
    if (!l->n)
        return j_undef(c, "No aggregated item, sequence was empty.");
    const jval *keys = keys_of(c, &p, l);
    size_t best = 0;
    for (size_t i = 1; i < l->n; i++)
        if (j_compare(c, keys[i], keys[best], want < 0 ? "<" : ">") == want)
            best = i;
    return l->v[best];
}

static jval f_min(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return extreme(c, v, -1);
}
static jval f_max(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return extreme(c, v, 1);
}

static jval f_groupby(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    jval all = j_collect(c, v[0], J_LIST), out = j_list(c, J_LIST, 0);
    path p = path_of(c, v[1], !is_true(c, v[3])), plain = path_of(c, v[1], false);
    p.otherwise = plain.otherwise = v[2];
    jlist *l = all.list;
    j_sort(c, l->v, keys_of(c, &p, l), l->n, false);
    const jval *keys = keys_of(c, &p, l);
    for (size_t i = 0, from; i < l->n;) {
        jval group = j_list(c, J_LIST, 0);
        for (from = i; i < l->n && j_equal(c, keys[from], keys[i]); i++)
            j_push(c, group, l->v[i]);
        if (i == from) /* a NaN equals nothing, not even itself */
            j_push(c, group, l->v[i++]);
        jval pair = j_pair(c, path_get(c, &plain, l->v[from]), group);
        pair.list->group = true;
        j_push(c, out, pair);
    }
    return out;
}

typedef struct uniquer {
    path path;
    jdict *seen;
    jiter *items;
} uniquer;

static jval next_unique(jctx *c, jiter *it)
{
    uniquer *u = it->data;
    for (jval v; (v = next_item(c, it, &u->items)).kind != J_MISSING;) {
        jval key = path_get(c, &u->path, v);
        size_t n = u->seen->n;
        j_put(c, u->seen, key, j_none());
        if (u->seen->n > n)
            return v;
    }
    return j_missing();
}

static jval f_unique(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    uniquer *u = j_alloc(c, 1, sizeof *u);
    *u = (uniquer){.path = path_of(c, v[2], !is_true(c, v[1])), .seen = j_dict(c).dict};
    return j_generator(c, "generator", next_unique, v[0], u);
}

/* --- folding --- */

static jval f_join(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    const jstr *sep = v[1].kind == J_MISSING ? j_lit(c, "").s : j_str(c, v[1]);
    path p = path_of(c, v[2], false);
    jiter *it = j_iter(c, v[0]);
    jbuf b = {.c = c};
    bool more = false;
    for (jval item; (item = j_next(c, it)).kind != J_MISSING; more = true) {
        const jstr *s = j_str(c, path_get(c, &p, item));
        if (more)
            j_add(&b, sep->p, sep->len);
        j_add(&b, s->p, s->len);
    }
    return j_done(&b);
}

static jval f_sum(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    path p = path_of(c, v[1], false);
    jval total = v[2].kind == J_MISSING ? j_int(0) : v[2];
    if (total.kind == J_STR)
        j_fail(c, "sum() cannot sum strings: use join");
    jiter *it = j_iter(c, v[0]);
    for (jval item; (item = j_next(c, it)).kind != J_MISSING;)
        total = j_binary(c, OP_ADD, total, path_get(c, &p, item));
    return total;
}

const jrow j_filters_pick[] = {
    {"map", "*", f_map},
    {"select", "*", f_select},
    {"reject", "*", f_reject},
    {"selectattr", "*", f_selectattr},
    {"rejectattr", "*", f_rejectattr},
    {"attr", "name", f_attr},
    {"sort", "reverse? case_sensitive? attribute?", f_sort},
    {"min", "case_sensitive? attribute?", f_min},
    {"max", "case_sensitive? attribute?", f_max},
    {"groupby", "attribute default? case_sensitive?", f_groupby},
    {"unique", "case_sensitive? attribute?", f_unique},
    {"join", "d? attribute?", f_join},
    {"sum", "attribute? start?", f_sum},
    {0},
};
