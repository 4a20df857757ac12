/* The evaluator of expressions: one small function a kind of node, and calls.
 *
 * Built-in functions get their arguments bound to named parameters by their table row, so that none of them
 * parses arguments. Macros bind theirs as jinja2 does: positions, then names, then defaults, which see the
 * parameters before them; what is left over goes to varargs and kwargs if the body mentions them. */
#include "text/jinja_eval.h"

#include <string.h>

static jval eval_const(jctx *c, jscope *s, const jnode *n)
{
    (void)c;
    (void)s;
    return n->value;
}

jval eval_name(jctx *c, jscope *s, const jstr *name)
{
    for (; s; s = s->parent) {
        j_charge(c, s->n / 16);
        for (size_t i = 0; i < s->n; i++)
            if (s->v[i].name == name) {
                if (s->v[i].value.kind == J_MISSING)
                    return j_undef(c, "parameter '%.*s' was not provided", (int)name->len, name->p);
                return s->v[i].value;
            }
    }
    const jval *v = j_get_text(c, c->vars, name->p, name->len);
    if (v)
        return *v;
    const jrow *row = j_find_row(j_globals, name->p, name->len);
    if (!row)
        return j_undef(c, "'%.*s' is undefined", name->len > 100 ? 100 : (int)name->len, name->p);
    jfunc *f = j_alloc(c, 1, sizeof *f);
    *f = (jfunc){row, j_missing()};
    return (jval){.kind = J_FUNC, .func = f};
}

static jval eval_name_node(jctx *c, jscope *s, const jnode *n) { return eval_name(c, s, n->value.s); }

static jval eval_list(jctx *c, jscope *s, const jnode *n)
{
    jval v = j_list(c, n->kind == N_LIST ? J_LIST : J_TUPLE, n->kids.n);
    for (size_t i = 0; i < n->kids.n; i++)
        j_push(c, v, eval(c, s, n->kids.v[i]));
    return v;
}

static jval eval_dict(jctx *c, jscope *s, const jnode *n)
{
    jval v = j_dict(c);
    for (size_t i = 0; i + 1 < n->kids.n; i += 2) {
        jval key = eval(c, s, n->kids.v[i]);
        j_put(c, v.dict, key, eval(c, s, n->kids.v[i + 1]));
    }
    return v;
}

static jval eval_attr(jctx *c, jscope *s, const jnode *n) { return j_attr(c, eval(c, s, n->a), n->value.s); }

static jval eval_item(jctx *c, jscope *s, const jnode *n)
{
    jval v = eval(c, s, n->a);
    return j_item(c, v, eval(c, s, n->b));
}

static jval eval_optional(jctx *c, jscope *s, const jnode *n) { return n ? eval(c, s, n) : j_none(); }

static jval eval_slice(jctx *c, jscope *s, const jnode *n)
{
    jval v = eval(c, s, n->a), from = eval_optional(c, s, n->b), to = eval_optional(c, s, n->c);
    return j_slice(c, v, from, to, eval_optional(c, s, n->kids.n ? n->kids.v[0] : NULL));
}

static jval eval_not(jctx *c, jscope *s, const jnode *n) { return j_bool(!j_truth(c, eval(c, s, n->a))); }

static jval eval_sign(jctx *c, jscope *s, const jnode *n)
{
    jval v = eval(c, s, n->a);
    j_need_defined(c, v);
    if (!j_is_number(v))
        j_fail(c, "bad operand type for unary %c: '%s'", n->kind == N_NEG ? '-' : '+', j_type(v));
    if (v.kind == J_FLOAT)
        return j_float(n->kind == N_NEG ? -v.f : v.f);
    if (n->kind == N_NEG && v.i == INT64_MIN)
        j_overflow(c);
    return j_int(n->kind == N_NEG ? -v.i : v.i);
}

static jval eval_binary(jctx *c, jscope *s, const jnode *n)
{
    jval a = eval(c, s, n->a);
    return j_binary(c, n->op, a, eval(c, s, n->b));
}

static jval eval_and(jctx *c, jscope *s, const jnode *n)
{
    jval a = eval(c, s, n->a);
    return j_truth(c, a) ? eval(c, s, n->b) : a;
}

static jval eval_or(jctx *c, jscope *s, const jnode *n)
{
    jval a = eval(c, s, n->a);
    return j_truth(c, a) ? a : eval(c, s, n->b);
}

static jval eval_concat(jctx *c, jscope *s, const jnode *n)
{
    jval v = (jval){.kind = J_STR, .s = j_str(c, eval(c, s, n->kids.v[0]))};
    for (size_t i = 1; i < n->kids.n; i++)
        v = j_concat(c, v.s, j_str(c, eval(c, s, n->kids.v[i])));
    return v;
}

static jval eval_compare(jctx *c, jscope *s, const jnode *n)
{
    jval left = eval(c, s, n->a);
    for (size_t i = 0; i < n->kids.n; i++) {
        jval right = eval(c, s, n->kids.v[i]->a);
        if (!j_relation(c, n->kids.v[i]->op, left, right))
            return j_bool(false);
        left = right;
    }
    return j_bool(true);
}

static jval eval_cond(jctx *c, jscope *s, const jnode *n)
{
    if (j_truth(c, eval(c, s, n->a)))
        return eval(c, s, n->b);
    if (n->c)
        return eval(c, s, n->c);
    return j_undef(c, "the inline if-expression evaluated to false and no else section was defined");
}

/* --- calls --- */

static void push_keyword(jctx *c, jargs *a, size_t *cap, const jstr *name, jval v)
{
    j_charge(c, a->n_kw / 8);
    for (size_t i = 0; i < a->n_kw; i++)
        if (a->kw[i].name->len == name->len && memcmp(a->kw[i].name->p, name->p, name->len) == 0)
            j_fail(c, "got multiple values for keyword argument '%.*s'", (int)name->len, name->p);
    if (a->n_kw == *cap)
        a->kw = j_grow(c, a->kw, a->n_kw, cap, sizeof *a->kw);
    a->kw[a->n_kw++] = (jkeyword){name, v};
}

/* Evaluates the arguments of a call, filter or test. */
static jargs arguments(jctx *c, jscope *s, const jnode *n, const jkeyword *extra)
{
    jval list = j_list(c, J_LIST, n->kids.n);
    jargs a = {0};
    size_t cap = 0;
    for (size_t i = 0; i < n->kids.n; i++)
        j_push(c, list, eval(c, s, n->kids.v[i]));
    for (size_t i = 0; i < n->more.n; i++)
        push_keyword(c, &a, &cap, n->more.v[i]->value.s, eval(c, s, n->more.v[i]->a));
    if (extra)
        push_keyword(c, &a, &cap, extra->name, extra->value);
    if (n->b) {
        jval rest = j_collect(c, eval(c, s, n->b), J_LIST);
        for (size_t i = 0; i < rest.list->n; i++)
            j_push(c, list, rest.list->v[i]);
    }
    if (n->c) {
        jval more = eval(c, s, n->c);
        if (more.kind != J_DICT)
            j_fail(c, "the argument after ** must be a mapping, not %s", j_type(more));
        for (size_t i = 0; i < more.dict->n; i++)
            push_keyword(c, &a, &cap, j_need_str(c, more.dict->v[i].key, "**"), more.dict->v[i].value);
    }
    a.v = list.list->v;
    a.n = list.list->n;
    return a;
}

static bool is_param(const char *p, size_t n, const jstr *name)
{
    return n == name->len && memcmp(p, name->p, n) == 0;
}

/* The next name of a parameter list: its length, with *p behind blanks and marks. */
static size_t param(const char **p, bool *by_position, bool *optional)
{
    while (**p == ' ')
        ++*p;
    *by_position = **p == '.';
    *p += *by_position;
    size_t n = strcspn(*p, " ?");
    *optional = (*p)[n] == '?';
    return n;
}

jval j_apply(jctx *c, const jrow *row, jval self, const jargs *a)
{
    jval v[J_MAX_PARAMS + 1];
    for (size_t i = 0; i <= J_MAX_PARAMS; i++)
        v[i] = j_missing();
    v[0] = self;
    j_charge(c, 1);
    if (row->params[0] == '*')
        return row->call(c, v, a);
    size_t i = 0, used = 0, n;
    bool by_position, optional;
    for (const char *p = row->params; (n = param(&p, &by_position, &optional)); i++, p += n + optional) {
        if (i < a->n)
            v[i + 1] = a->v[i];
        for (size_t k = 0; k < a->n_kw && !by_position; k++)
            if (is_param(p, n, a->kw[k].name)) {
                if (i < a->n)
                    j_fail(c, "%s() got multiple values for argument '%.*s'", row->name, (int)n, p);
                v[i + 1] = a->kw[k].value;
                used++;
            }
        if (v[i + 1].kind == J_MISSING && !optional)
            j_fail(c, "%s() needs the argument '%.*s'", row->name, (int)n, p);
    }
    if (a->n > i || used < a->n_kw)
        j_fail(c, "%s() got an argument that it does not take", row->name);
    return row->call(c, v, a);
}

/* Sets the parameters of a macro in its scope; returns how many keyword arguments it took. */
static size_t bind_params(jctx *c, jscope *s, const jmacro *m, const jargs *a, bool *used)
{
    size_t taken = 0;
    const jbody *params = &m->node->more;
    for (size_t i = 0; i < params->n; i++) {
        jval v = i < a->n ? a->v[i] : j_missing();
        j_charge(c, a->n_kw / 8);
        for (size_t k = 0; k < a->n_kw && i >= a->n; k++)
            if (a->kw[k].name == params->v[i]->value.s ||
                is_param(a->kw[k].name->p, a->kw[k].name->len, params->v[i]->value.s)) {
                v = a->kw[k].value;
                used[k] = true;
                taken++;
            }
        eval_set(c, s, params->v[i]->value.s, v);
    }
    for (size_t i = a->n; i < params->n; i++)
        if (params->v[i]->a && eval_name(c, s, params->v[i]->value.s).kind == J_UNDEF &&
            s->v[i].value.kind == J_MISSING)
            eval_set(c, s, params->v[i]->value.s, eval(c, s, params->v[i]->a));
    return taken;
}

/* caller, kwargs and varargs: what the body mentions gets the rest, otherwise a rest is an error. */
static void bind_rest(jctx *c, jscope *s, const jmacro *m, const jargs *a, const bool *used, size_t taken)
{
    size_t n = m->node->more.n;
    jval kwargs = j_dict(c), varargs = j_list(c, J_TUPLE, 0), caller = j_undef(c, "No caller defined");
    for (size_t i = 0; i < a->n_kw; i++) {
        if (used[i])
            continue;
        if (m->wants_caller && is_param("caller", 6, a->kw[i].name)) {
            caller = a->kw[i].value;
            taken++;
            continue;
        }
        j_put(c, kwargs.dict, (jval){.kind = J_STR, .s = a->kw[i].name}, a->kw[i].value);
    }
    for (size_t i = n; i < a->n; i++)
        j_push(c, varargs, a->v[i]);
    if (!m->wants_kwargs && taken < a->n_kw)
        j_fail(c, "macro takes no keyword argument '%.*s'", (int)kwargs.dict->v[0].key.s->len,
               kwargs.dict->v[0].key.s->p);
    if (!m->wants_varargs && a->n > n)
        j_fail(c, "macro takes not more than %zu argument(s)", n);
    if (m->wants_caller)
        eval_set(c, s, c->caller_name, caller.kind == J_NONE ? j_undef(c, "No caller defined") : caller);
    if (m->wants_kwargs)
        eval_set(c, s, c->kwargs_name, kwargs);
    if (m->wants_varargs)
        eval_set(c, s, c->varargs_name, varargs);
}

static jval call_macro(jctx *c, const jmacro *m, const jargs *a)
{
    jscope *s = eval_scope(c, m->scope);
    bool *used = j_alloc(c, a->n_kw, sizeof *used);
    if (a->n_kw)
        memset(used, 0, a->n_kw * sizeof *used);
    size_t taken = bind_params(c, s, m, a, used);
    bind_rest(c, s, m, a, used, taken);
    size_t mark = c->out.len;
    eval_body(c, s, &m->node->kids);
    return eval_captured(c, mark);
}

jval j_call(jctx *c, jval f, const jargs *a)
{
    j_need_defined(c, f);
    switch (f.kind) {
    case J_FUNC:
        return j_apply(c, f.func->row, f.func->self, a);
    case J_MACRO:
        return call_macro(c, f.macro, a);
    case J_LOOP:
        if (a->n != 1 || a->n_kw)
            j_fail(c, "loop() takes one argument");
        return j_call_loop(c, f.loop, a->v[0]);
    case J_JOINER:
        if (f.joiner->used)
            return f.joiner->sep;
        f.joiner->used = true;
        return j_lit(c, "");
    default:
        j_fail(c, "'%s' object is not callable", j_type(f));
    }
}

jval eval_call(jctx *c, jscope *s, const jnode *n, const jkeyword *extra)
{
    int line = c->line;
    jval f = eval(c, s, n->a);
    jargs a = arguments(c, s, n, extra);
    c->line = n->line;
    jval v = j_call(c, f, &a);
    c->line = line;
    return v;
}

static jval eval_call_node(jctx *c, jscope *s, const jnode *n) { return eval_call(c, s, n, NULL); }

void j_unknown(jctx *c, const jnode *n)
{
    j_fail(c, "there is no %s named \"%.*s\"", n->kind == N_FILTER ? "filter" : "test",
           n->value.s->len > 100 ? 100 : (int)n->value.s->len, n->value.s->p);
}

static jval apply_node(jctx *c, jscope *s, const jnode *n, jval self)
{
    jargs a = arguments(c, s, n, NULL);
    int line = c->line;
    c->line = n->line;
    if (!n->row)
        j_unknown(c, n);
    jval v = j_apply(c, n->row, self, &a);
    c->line = line;
    return v;
}

jval eval_filter_of(jctx *c, jscope *s, const jnode *n, jval text)
{
    j_enter(c);
    jval self = n->a ? eval_filter_of(c, s, n->a, text) : text;
    j_leave(c);
    return apply_node(c, s, n, self);
}

static jval eval_apply(jctx *c, jscope *s, const jnode *n) { return apply_node(c, s, n, eval(c, s, n->a)); }

jval eval(jctx *c, jscope *s, const jnode *n)
{
    static jval (*const evals[])(jctx *, jscope *, const jnode *) = {
        [N_CONST] = eval_const,     [N_NAME] = eval_name_node, [N_LIST] = eval_list,
        [N_TUPLE] = eval_list,      [N_DICT] = eval_dict,      [N_ATTR] = eval_attr,
        [N_ITEM] = eval_item,       [N_SLICE] = eval_slice,    [N_CALL] = eval_call_node,
        [N_FILTER] = eval_apply,    [N_TEST] = eval_apply,     [N_NOT] = eval_not,
        [N_NEG] = eval_sign,        [N_POS] = eval_sign,       [N_BINARY] = eval_binary,
        [N_AND] = eval_and,         [N_OR] = eval_or,          [N_CONCAT] = eval_concat,
        [N_COMPARE] = eval_compare, [N_COND] = eval_cond,
    };
    j_charge(c, 0);
    j_enter(c);
    jval v = evals[n->kind](c, s, n);
    j_leave(c);
    return v;
}
