/* Operators on values, attributes, subscripts and slices.
 *
 * `a.b` asks the object first (methods, loop.index, namespace members) and then for the member "b"; `a["b"]`
 * asks in the other order; what is found in neither way is undefined, not an error. Slices and the operators
 * fail as in Python. Text marked safe stays safe, and what is joined to it is escaped. */
#include "text/jinja_impl.h"

#include <string.h>

/* --- binary operators --- */

static jval repeat_list(jctx *c, jval v, int64_t times)
{
    jval r = j_list(c, v.kind, 0);
    for (int64_t i = 0; v.list->n && i < times; i++)
        for (size_t k = 0; k < v.list->n; k++)
            j_push(c, r, v.list->v[k]);
    return r;
}

static jval repeat_text(jctx *c, jval v, int64_t times)
{
    size_t n = v.s->len, total;
    if (times <= 0 || !n)
        return j_mark(j_lit(c, ""), v.safe);
    if (__builtin_mul_overflow(n, (size_t)times, &total))
        j_fail(c, "the text would be too long");
    char *p = j_alloc(c, total, 1);
    j_charge(c, total / 64);
    for (size_t i = 0; i < total; i += n)
        memcpy(p + i, v.s->p, n);
    return j_mark(j_borrow(c, p, total), v.safe);
}

static bool is_repeatable(jval v) { return v.kind == J_STR || v.kind == J_LIST || v.kind == J_TUPLE; }

static jval add_text(jctx *c, jval a, jval b)
{
    if (!a.safe && !b.safe)
        return j_concat(c, a.s, b.s);
    return j_mark(j_concat(c, j_escape(c, a).s, j_escape(c, b).s), true);
}

static jval add_lists(jctx *c, jval a, jval b)
{
    jval r = j_list(c, a.kind, a.list->n + b.list->n);
    for (size_t i = 0; i < a.list->n; i++)
        j_push(c, r, a.list->v[i]);
    for (size_t i = 0; i < b.list->n; i++)
        j_push(c, r, b.list->v[i]);
    return r;
}

static const char *const op_names[] = {"+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">="};

/* {**a, **b} as a | b is no operator here; dicts and sets have none of these. */
jval j_binary(jctx *c, jop op, jval a, jval b)
{
    jval r;
    j_charge(c, 0);
    if (op == OP_MOD && a.kind == J_STR)
        return j_percent(c, a, b);
    j_need_defined(c, a);
    j_need_defined(c, b);
    if (j_arith(c, op, a, b, &r))
        return r;
    if (op == OP_ADD && a.kind == b.kind && a.kind == J_STR)
        return add_text(c, a, b);
    if (op == OP_ADD && a.kind == b.kind && (a.kind == J_LIST || a.kind == J_TUPLE))
        return add_lists(c, a, b);
    if (op == OP_MUL && j_is_int(a) && is_repeatable(b))
        return j_binary(c, op, b, a);
    if (op == OP_MUL && is_repeatable(a) && j_is_int(b))
        return a.kind == J_STR ? repeat_text(c, a, b.i) : repeat_list(c, a, b.i);
    j_fail(c, "unsupported operand types for %s: '%s' and '%s'", op_names[op], j_type(a), j_type(b));
}

bool j_relation(jctx *c, jop op, jval a, jval b)
{
    int r;
    switch (op) {
    case OP_EQ:
        return j_equal(c, a, b);
    case OP_NE:
        return !j_equal(c, a, b);
    case OP_IN:
        return j_contains(c, a, b);
    case OP_NOT_IN:
        return !j_contains(c, a, b);
    default:
        r = j_compare(c, a, b, op_names[op]);
        if (r == 2)
            return false;
        return op == OP_LT ? r < 0 : op == OP_LE ? r <= 0 : op == OP_GT ? r > 0 : r >= 0;
    }
}

/* --- attributes --- */

/* Methods that would change their object: the sandbox hands out an undefined value instead. */
static bool is_mutator(jval v, const jstr *name)
{
    static const char *const list[] = {"append", "reverse", "insert", "sort", "extend", "remove", NULL};
    static const char *const dict[] = {"clear", "pop", "popitem", "setdefault", "update", NULL};
    const char *const *names = v.kind == J_LIST ? list : v.kind == J_DICT ? dict : NULL;
    for (; names && *names; names++)
        if (strlen(*names) == name->len && memcmp(*names, name->p, name->len) == 0)
            return true;
    return false;
}

static const jrow *methods_of(jval v)
{
    switch (v.kind) {
    case J_STR:
        return j_str_methods;
    case J_LIST:
        return j_list_methods;
    case J_TUPLE:
    case J_RANGE:
        return j_tuple_methods;
    case J_DICT:
        return j_dict_methods;
    case J_LOOP:
        return j_loop_methods;
    case J_CYCLER:
        return j_cycler_methods;
    case J_BOOL:
    case J_INT:
    case J_FLOAT:
        return j_number_methods;
    default:
        return NULL;
    }
}

static bool named(const jstr *s, const char *name)
{
    return strlen(name) == s->len && memcmp(name, s->p, s->len) == 0;
}

static bool macro_attr(jctx *c, const jmacro *m, const jstr *name, jval *out)
{
    if (named(name, "name")) {
        *out = m->name ? (jval){.kind = J_STR, .s = m->name} : j_none();
    } else if (named(name, "arguments")) {
        *out = j_list(c, J_TUPLE, 0);
        for (size_t i = 0; i < m->node->more.n; i++)
            j_push(c, *out, m->node->more.v[i]->value);
    } else if (named(name, "caller")) {
        *out = j_bool(m->wants_caller);
    } else if (named(name, "catch_kwargs")) {
        *out = j_bool(m->wants_kwargs);
    } else if (named(name, "catch_varargs")) {
        *out = j_bool(m->wants_varargs);
    } else {
        return false;
    }
    return true;
}

static bool range_attr(const jrange *r, const jstr *name, jval *out)
{
    if (named(name, "start"))
        *out = j_int(r->start);
    else if (named(name, "stop"))
        *out = j_int(r->stop);
    else if (named(name, "step"))
        *out = j_int(r->step);
    else
        return false;
    return true;
}

static bool number_attr(jval v, const jstr *name, jval *out)
{
    if (named(name, "real") || (named(name, "numerator") && j_is_int(v)))
        *out = v.kind == J_FLOAT ? v : j_int(v.i);
    else if (named(name, "imag"))
        *out = v.kind == J_FLOAT ? j_float(0) : j_int(0);
    else if (named(name, "denominator") && j_is_int(v))
        *out = j_int(1);
    else
        return false;
    return true;
}

bool j_attr_real(jctx *c, jval v, const jstr *name, jval *out)
{
    if (is_mutator(v, name)) {
        *out = j_undef(c, "access to attribute '%.*s' of '%s' object is unsafe", (int)name->len, name->p,
                       j_type(v));
        return true;
    }
    const jrow *methods = methods_of(v), *row = methods ? j_find_row(methods, name->p, name->len) : NULL;
    if (row) {
        jfunc *f = j_alloc(c, 1, sizeof *f);
        *f = (jfunc){row, v};
        *out = (jval){.kind = J_FUNC, .func = f};
        return true;
    }
    if (v.kind == J_NAMESPACE) {
        const jval *m = j_get_text(c, v.dict, name->p, name->len);
        if (m)
            *out = name->len && name->p[0] == '_'
                       ? j_undef(c, "access to attribute '%.*s' of 'Namespace' object is unsafe",
                                 (int)name->len, name->p)
                       : *m;
        return m != NULL;
    }
    if (v.kind == J_LOOP) {
        *out = j_loop_attr(c, v, name);
        return out->kind != J_MISSING;
    }
    if (v.kind == J_TUPLE && v.list->group && (named(name, "grouper") || named(name, "list"))) {
        *out = v.list->v[named(name, "list")];
        return true;
    }
    if (v.kind == J_CYCLER && named(name, "current")) {
        *out = v.cycler->items->v[v.cycler->pos];
        return true;
    }
    return v.kind == J_MACRO   ? macro_attr(c, v.macro, name, out)
           : v.kind == J_RANGE ? range_attr(v.range, name, out)
           : j_is_number(v)    ? number_attr(v, name, out)
                               : false;
}

static jval no_attr(jctx *c, jval v, const jstr *name)
{
    int n = name->len > 100 ? 100 : (int)name->len;
    if (v.kind == J_DICT)
        return j_undef(c, "'dict object' has no attribute '%.*s'", n, name->p);
    return j_undef(c, "'%s object' has no attribute '%.*s'", j_type(v), n, name->p);
}

/* A member by key or index; false when there is none (or v has no members). */
static bool member(jctx *c, jval v, jval key, jval *out)
{
    const jval *m;
    int64_t n;
    switch (v.kind) {
    case J_DICT:
        m = j_get(c, v.dict, key);
        if (m)
            *out = *m;
        return m != NULL;
    case J_STR:
    case J_LIST:
    case J_TUPLE:
    case J_RANGE:
        n = j_is_int(key) ? j_length(c, v) : 0;
        if (!j_is_int(key) || key.i < -n || key.i >= n)
            return false;
        n = key.i < 0 ? key.i + n : key.i;
        if (v.kind == J_RANGE) {
            *out = j_int(j_range_at(v.range, n));
        } else if (v.kind == J_STR) {
            size_t from = j_offset(c, v.s, (size_t)n), to = from;
            j_char(v.s, &to);
            *out = j_sub(c, v, from, to);
        } else {
            *out = v.list->v[n];
        }
        return true;
    default:
        return false;
    }
}

jval j_attr(jctx *c, jval v, const jstr *name)
{
    jval out;
    j_charge(c, 0);
    j_need_defined(c, v);
    if (j_attr_real(c, v, name, &out) || member(c, v, (jval){.kind = J_STR, .s = name}, &out))
        return out;
    return no_attr(c, v, name);
}

jval j_item(jctx *c, jval v, jval key)
{
    jval out;
    j_charge(c, 0);
    j_need_defined(c, v);
    if (member(c, v, key, &out))
        return out;
    if (key.kind == J_STR)
        return j_attr_real(c, v, key.s, &out) ? out : no_attr(c, v, key.s);
    if (key.kind == J_UNDEF)
        return j_undef(c, "%s", key.why);
    jbuf b = {.c = c};
    j_repr(&b, key);
    return j_undef(c, "'%s object' has no element %.*s", j_type(v), b.n > 100 ? 100 : (int)b.n, b.p);
}

/* --- slices --- */

/* One bound of a slice, clamped as Python does. */
static int64_t bound(jctx *c, jval v, int64_t n, int64_t if_none, bool backwards)
{
    if (v.kind == J_NONE || v.kind == J_MISSING)
        return if_none;
    int64_t i = j_need_int(c, v, "a slice");
    int64_t lo = backwards ? -1 : 0, hi = backwards ? n - 1 : n;
    if (i < 0)
        i = i < -n ? lo : i + n;
    return i < lo ? lo : i > hi ? hi : i;
}

/* How many items the slice has; item i is at from + i * step. */
static int64_t slice_count(int64_t from, int64_t to, int64_t step)
{
    if (step > 0)
        return to > from ? (to - from - 1) / step + 1 : 0;
    return to < from ? (from - to - 1) / -step + 1 : 0;
}

static jval slice_text(jctx *c, jval v, int64_t from, int64_t to, int64_t step)
{
    if (step == 1) {
        size_t a = j_offset(c, v.s, (size_t)from);
        return j_sub(c, v, a, to > from ? j_offset(c, v.s, (size_t)to) : a);
    }
    size_t n = j_chars(c, v.s), *at = j_alloc(c, n + 1, sizeof *at), i = 0;
    for (size_t k = 0; k <= n; k++) {
        at[k] = i;
        if (i < v.s->len)
            j_char(v.s, &i);
    }
    jbuf b = {.c = c};
    for (int64_t k = 0, count = slice_count(from, to, step); k < count; k++) {
        int64_t j = from + k * step;
        j_add(&b, v.s->p + at[j], at[j + 1] - at[j]);
    }
    return j_mark(j_done(&b), v.safe);
}

static jval slice_range(jctx *c, const jrange *r, int64_t from, int64_t to, int64_t step)
{
    jrange *s = j_alloc(c, 1, sizeof *s);
    *s = (jrange){.start = j_range_at(r, from),
                  .stop = j_range_at(r, to),
                  .step = r->step,
                  .n = slice_count(from, to, step)};
    if (s->n > 1) /* right modulo 2^64 even if it is more than 63 bits hold */
        s->step = (int64_t)((uint64_t)r->step * (uint64_t)step);
    return (jval){.kind = J_RANGE, .range = s};
}

jval j_slice(jctx *c, jval v, jval from, jval to, jval step)
{
    j_need_defined(c, v);
    if (v.kind != J_STR && v.kind != J_LIST && v.kind != J_TUPLE && v.kind != J_RANGE)
        j_fail(c, "'%s' object cannot be sliced", j_type(v));
    int64_t by = step.kind == J_NONE || step.kind == J_MISSING ? 1 : j_need_int(c, step, "a slice");
    if (by == 0)
        j_fail(c, "slice step cannot be zero");
    if (by == INT64_MIN)
        by++;
    int64_t n = j_length(c, v);
    int64_t a = bound(c, from, n, by > 0 ? 0 : n - 1, by < 0), b = bound(c, to, n, by > 0 ? n : -1, by < 0);
    if (v.kind == J_STR)
        return slice_text(c, v, a, b, by);
    if (v.kind == J_RANGE)
        return slice_range(c, v.range, a, b, by);
    jval r = j_list(c, v.kind, 0);
    for (int64_t k = 0, count = slice_count(a, b, by); k < count; k++)
        j_push(c, r, v.list->v[a + k * by]);
    return r;
}
