/* Filters on sequences and mappings as a whole. */
#include "text/jinja_impl.h"

#include <string.h>

static jval f_length(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    int64_t n = j_length(c, v[0]);
    if (n < 0)
        j_fail(c, "object of type '%s' has no len()", j_type(v[0]));
    return j_int(n);
}

static jval f_default(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    bool use = v[0].kind == J_UNDEF;
    if (!use && v[2].kind != J_MISSING)
        use = j_truth(c, v[2]) && !j_truth(c, v[0]);
    return !use ? v[0] : v[1].kind == J_MISSING ? j_lit(c, "") : v[1];
}

static jval f_first(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    jval item = j_next(c, j_iter(c, v[0]));
    return item.kind == J_MISSING ? j_undef(c, "No first item, sequence was empty.") : item;
}

static bool is_reversible(jval v) { return v.kind != J_ITER; }

static jval f_last(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    if (!is_reversible(v[0]) || !j_iter_try(c, v[0]))
        j_fail(c, "'%s' object is not reversible", j_type(v[0]));
    if (v[0].kind == J_LIST || v[0].kind == J_TUPLE || v[0].kind == J_STR || v[0].kind == J_RANGE) {
        jval last =
            j_length(c, v[0]) ? j_item(c, v[0], j_int(-1)) : j_undef(c, "No last item, sequence was empty.");
        return j_mark(last, false);
    }
    jval all = j_collect(c, v[0], J_LIST);
    return all.list->n ? all.list->v[all.list->n - 1] : j_undef(c, "No last item, sequence was empty.");
}

static jval f_list(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    return j_collect(c, v[0], J_LIST);
}

static jval f_reverse(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    if (v[0].kind == J_STR)
        return j_slice(c, v[0], j_none(), j_none(), j_int(-1));
    jval all = j_collect(c, v[0], J_LIST);
    jlist *l = all.list;
    for (size_t i = 0; i < l->n / 2; i++) {
        jval t = l->v[i];
        l->v[i] = l->v[l->n - 1 - i];
        l->v[l->n - 1 - i] = t;
    }
    if (v[0].kind == J_ITER)
        return all;
    jiter *it = j_iter(c, all);
    it->name = "reversed";
    return (jval){.kind = J_ITER, .iter = it};
}

/* What walks over v and calls itself a generator. */
static jval generator_of(jctx *c, jval v)
{
    jiter *it = j_iter(c, v);
    it->name = "generator";
    return (jval){.kind = J_ITER, .iter = it};
}

static jval f_items(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    if (v[0].kind != J_DICT && v[0].kind != J_UNDEF)
        j_fail(c, "items: can only get item pairs from a mapping, not '%s'", j_type(v[0]));
    jval pairs = v[0];
    if (v[0].kind == J_DICT)
        pairs = j_apply(c, j_find_row(j_dict_methods, "items", 5), v[0], &(jargs){0});
    return generator_of(c, pairs);
}

/* --- sorting --- */

/* Merges the sorted halves [from, mid) and [mid, to) of `order`. */
static void merge(jctx *c, size_t *order, size_t *tmp, const jval *keys, size_t from, size_t mid, size_t to,
                  bool reverse)
{
    size_t i = from, k = mid, n = 0;
    while (i < mid && k < to) {
        jval left = keys[order[i]], right = keys[order[k]];
        int r = reverse ? j_compare(c, left, right, "<") : j_compare(c, right, left, "<");
        tmp[n++] = r == -1 ? order[k++] : order[i++];
    }
    while (i < mid)
        tmp[n++] = order[i++];
    while (k < to)
        tmp[n++] = order[k++];
    memcpy(order + from, tmp, n * sizeof *order);
}

void j_sort(jctx *c, jval *v, const jval *keys, size_t n, bool reverse)
{
    size_t *order = j_alloc(c, n, sizeof *order), *tmp = j_alloc(c, n, sizeof *tmp);
    jval *copy = j_alloc(c, n, sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        order[i] = i;
        copy[i] = v[i];
    }
    for (size_t width = 1; width < n; width *= 2)
        for (size_t from = 0; from + width < n; from += 2 * width)
            merge(c, order, tmp, keys, from, from + width, from + 2 * width < n ? from + 2 * width : n,
                  reverse);
    for (size_t i = 0; i < n; i++)
        v[i] = copy[order[i]];
}

static jval f_dictsort(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    bool sensitive = v[1].kind != J_MISSING && j_truth(c, v[1]), by_value = false;
    if (v[2].kind != J_MISSING) {
        const jstr *by = j_need_str(c, v[2], "dictsort");
        by_value = by->len == 5 && memcmp(by->p, "value", 5) == 0;
        if (!by_value && !(by->len == 3 && memcmp(by->p, "key", 3) == 0))
            j_fail(c, "dictsort: you can only sort by either \"key\" or \"value\"");
    }
    j_need_defined(c, v[0]);
    if (v[0].kind != J_DICT)
        j_fail(c, "dictsort needs a mapping, not '%s'", j_type(v[0]));
    size_t n = v[0].dict->n;
    jval out = j_list(c, J_LIST, n), *keys = j_alloc(c, n, sizeof *keys);
    for (size_t i = 0; i < n; i++) {
        const jpair *m = &v[0].dict->v[i];
        j_push(c, out, j_pair(c, m->key, m->value));
        keys[i] = by_value ? m->value : m->key;
        if (!sensitive && keys[i].kind == J_STR)
            keys[i] = j_lower(c, keys[i].s);
    }
    j_sort(c, out.list->v, keys, n, v[3].kind != J_MISSING && j_truth(c, v[3]));
    return out;
}

/* --- cutting into pieces --- */

static jval f_batch(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    jval all = j_collect(c, v[0], J_LIST), out = j_list(c, J_LIST, 0), row = j_list(c, J_LIST, 0);
    j_need_defined(c, v[1]);
    double count = j_is_number(v[1]) ? j_as_double(v[1]) : -1;
    for (size_t i = 0; i < all.list->n; i++) {
        if ((double)row.list->n == count) {
            j_push(c, out, row);
            row = j_list(c, J_LIST, 0);
        }
        j_push(c, row, all.list->v[i]);
    }
    if (row.list->n) {
        int64_t want = j_given(v[2]) ? j_need_int(c, v[1], "batch") : 0;
        while (j_given(v[2]) && (int64_t)row.list->n < want)
            j_push(c, row, v[2]);
        j_push(c, out, row);
    }
    return generator_of(c, out);
}

static jval f_slice(jctx *c, const jval *v, const jargs *a)
{
    (void)a;
    jval all = j_collect(c, v[0], J_LIST), out = j_list(c, J_LIST, 0);
    int64_t n = j_need_int(c, v[1], "slice"), len = (int64_t)all.list->n, offset = 0;
    if (n == 0)
        j_fail(c, "slice: integer division or modulo by zero");
    int64_t each = n > 0 ? len / n : 0, extra = n > 0 ? len % n : 0;
    for (int64_t k = 0; k < n; k++) {
        int64_t from = offset + k * each;
        offset += k < extra;
        int64_t to = offset + (k + 1) * each;
        jval row = j_list(c, J_LIST, 0);
        for (int64_t i = from; i < to; i++)
            j_push(c, row, all.list->v[i]);
        if (j_given(v[2]) && k >= extra)
            j_push(c, row, v[2]);
        j_push(c, out, row);
    }
    return generator_of(c, out);
}

const jrow j_filters_seq[] = {
    {"length", "", f_length},
    {"count", "", f_length},
    {"default", "default_value? boolean?", f_default},
    {"d", "default_value? boolean?", f_default},
    {"first", "", f_first},
    {"last", "", f_last},
    {"list", "", f_list},
    {"reverse", "", f_reverse},
    {"items", "", f_items},
    {"dictsort", "case_sensitive? by? reverse?", f_dictsort},
    {"batch", "linecount fill_with?", f_batch},
    {"slice", "slices fill_with?", f_slice},
    {0},
};
