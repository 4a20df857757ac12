/* Iteration: iterators over every kind of value, generators, and the loop variable.
 *
 * An iterator is a struct with a `next` function, so generators (map, select, loop filters ...) are as lazy
 * as Python's: an item is computed when it is asked for, and a generator can be walked only once. The loop
 * variable looks one item ahead only for loop.last and loop.nextitem, and counts ahead only for loop.length.
 */
#include "text/jinja_impl.h"

#include <string.h>

static jval next_list(jctx *c, jiter *it)
{
    (void)c;
    return it->i < it->from.list->n ? it->from.list->v[it->i++] : j_missing();
}

static jval next_char(jctx *c, jiter *it)
{
    size_t from = it->i;
    if (from >= it->from.s->len)
        return j_missing();
    j_char(it->from.s, &it->i);
    return j_sub(c, j_mark(it->from, false), from, it->i);
}

static jval next_view(jctx *c, jiter *it)
{
    const jview *v = it->from.view;
    if (it->i >= v->dict->n)
        return j_missing();
    const jpair *p = &v->dict->v[it->i++];
    return v->what == 'k' ? p->key : v->what == 'v' ? p->value : j_pair(c, p->key, p->value);
}

static jval next_key(jctx *c, jiter *it)
{
    (void)c;
    return it->i < it->from.dict->n ? it->from.dict->v[it->i++].key : j_missing();
}

static jval next_range(jctx *c, jiter *it)
{
    (void)c;
    const jrange *r = it->from.range;
    return (int64_t)it->i < r->n ? j_int(j_range_at(r, (int64_t)it->i++)) : j_missing();
}

static jval next_nothing(jctx *c, jiter *it)
{
    (void)c;
    (void)it;
    return j_missing();
}

jiter *j_iter_try(jctx *c, jval v)
{
    static jval (*const nexts[])(jctx *, jiter *) = {
        [J_UNDEF] = next_nothing, [J_STR] = next_char,  [J_LIST] = next_list,   [J_TUPLE] = next_list,
        [J_DICT] = next_key,      [J_VIEW] = next_view, [J_RANGE] = next_range, [J_JOINER] = NULL,
    };
    if (v.kind == J_ITER)
        return v.iter;
    if (!nexts[v.kind])
        return NULL;
    jiter *it = j_alloc(c, 1, sizeof *it);
    *it = (jiter){.next = nexts[v.kind], .from = v};
    return it;
}

jiter *j_iter(jctx *c, jval v)
{
    jiter *it = j_iter_try(c, v);
    if (!it)
        j_fail(c, "'%s' object is not iterable", j_type(v));
    return it;
}

jval j_next(jctx *c, jiter *it)
{
    j_charge(c, 1);
    j_enter(c);
    jval v = it->next(c, it);
    j_leave(c);
    return v;
}

jval j_collect(jctx *c, jval v, jkind kind)
{
    jiter *it = j_iter(c, v);
    jval list = j_list(c, kind, 0);
    for (jval item; (item = j_next(c, it)).kind != J_MISSING;)
        j_push(c, list, item);
    return list;
}

int64_t j_length(jctx *c, jval v)
{
    switch (v.kind) {
    case J_UNDEF:
        return 0;
    case J_STR:
        return (int64_t)j_chars(c, v.s);
    case J_LIST:
    case J_TUPLE:
        return (int64_t)v.list->n;
    case J_DICT:
        return (int64_t)v.dict->n;
    case J_VIEW:
        return (int64_t)v.view->dict->n;
    case J_RANGE:
        return v.range->n;
    case J_LOOP:
        return j_loop_length(c, v.loop);
    default:
        return -1;
    }
}

jval j_generator(jctx *c, const char *name, jval (*next)(jctx *, jiter *), jval from, void *data)
{
    jiter *it = j_alloc(c, 1, sizeof *it);
    *it = (jiter){.next = next, .from = from, .data = data, .name = name};
    return (jval){.kind = J_ITER, .iter = it};
}

/* --- the loop variable --- */

jloop *j_loop_new(jctx *c, jval from, jiter *it)
{
    jloop *l = j_alloc(c, 1, sizeof *l);
    *l = (jloop){.from = from, .it = it, .index0 = -1, .length = -1};
    return l;
}

jval j_loop_next(jctx *c, jloop *l)
{
    jval v = l->after;
    if (v.kind == J_MISSING)
        v = j_next(c, l->it);
    l->after = j_missing();
    if (v.kind == J_MISSING)
        return v;
    l->index0++;
    l->before = l->current;
    l->current = v;
    return v;
}

static jval peek(jctx *c, jloop *l)
{
    if (l->after.kind == J_MISSING)
        l->after = j_next(c, l->it);
    return l->after;
}

int64_t j_loop_length(jctx *c, jloop *l)
{
    if (l->length < 0)
        l->length = j_length(c, l->from);
    if (l->length < 0) { /* a generator: take the rest out of it */
        jval rest = j_collect(c, (jval){.kind = J_ITER, .iter = l->it}, J_LIST);
        l->it = j_iter(c, rest);
        l->length = (int64_t)rest.list->n + l->index0 + 1 + (l->after.kind != J_MISSING);
    }
    return l->length;
}

static jval loop_index(jctx *c, jloop *l)
{
    (void)c;
    return j_int(l->index0 + 1);
}
static jval loop_index0(jctx *c, jloop *l)
{
    (void)c;
    return j_int(l->index0);
}
static jval loop_first(jctx *c, jloop *l)
{
    (void)c;
    return j_bool(l->index0 == 0);
}
static jval loop_last(jctx *c, jloop *l) { return j_bool(peek(c, l).kind == J_MISSING); }
static jval loop_length(jctx *c, jloop *l) { return j_int(j_loop_length(c, l)); }
static jval loop_revindex(jctx *c, jloop *l) { return j_int(j_loop_length(c, l) - l->index0); }
static jval loop_revindex0(jctx *c, jloop *l) { return j_int(j_loop_length(c, l) - l->index0 - 1); }
static jval loop_depth(jctx *c, jloop *l)
{
    (void)c;
    return j_int(l->depth0 + 1);
}
static jval loop_depth0(jctx *c, jloop *l)
{
    (void)c;
    return j_int(l->depth0);
}
static jval loop_previtem(jctx *c, jloop *l)
{
    return l->index0 == 0 ? j_undef(c, "there is no previous item") : l->before;
}
static jval loop_nextitem(jctx *c, jloop *l)
{
    jval v = peek(c, l);
    return v.kind == J_MISSING ? j_undef(c, "there is no next item") : v;
}

jval j_loop_attr(jctx *c, jval loop, const jstr *name)
{
    static const struct {
        const char *name;
        jval (*get)(jctx *c, jloop *l);
    } attrs[] = {
        {"index", loop_index},         {"index0", loop_index0},     {"first", loop_first},
        {"last", loop_last},           {"length", loop_length},     {"revindex", loop_revindex},
        {"revindex0", loop_revindex0}, {"depth", loop_depth},       {"depth0", loop_depth0},
        {"previtem", loop_previtem},   {"nextitem", loop_nextitem},
    };
    for (size_t i = 0; i < sizeof attrs / sizeof *attrs; i++)
        if (strlen(attrs[i].name) == name->len && memcmp(attrs[i].name, name->p, name->len) == 0)
            return attrs[i].get(c, loop.loop);
    return j_missing();
}

static jval loop_cycle(jctx *c, const jval *v, const jargs *a)
{
    if (!a->n)
        j_fail(c, "no items for cycling given");
    return a->v[(size_t)v[0].loop->index0 % a->n];
}

static jval loop_changed(jctx *c, const jval *v, const jargs *a)
{
    jloop *l = v[0].loop;
    jval now = j_list(c, J_TUPLE, a->n);
    for (size_t i = 0; i < a->n; i++)
        j_push(c, now, a->v[i]);
    bool changed = l->changed.kind == J_MISSING || !j_equal(c, l->changed, now);
    if (changed)
        l->changed = now;
    return j_bool(changed);
}

const jrow j_loop_methods[] = {{"cycle", "*", loop_cycle}, {"changed", "*", loop_changed}, {0}};
