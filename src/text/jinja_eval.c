/* The evaluator of statements, and what runs a template.
 *
 * A tree walk. Scopes are small arrays of (name, value), looked up by the interned name's address from the
 * innermost outwards; then come the render variables, then the built-in functions. Loops, macros, with,
 * filter and set blocks have scopes of their own, `if` has none: as in jinja2 a variable set in a loop is
 * gone after it.
 *
 * There is one output buffer. A block whose text becomes a value (set, filter, macro, call) notes the
 * buffer's length, runs, and cuts its text off again. */
#include "text/jinja_eval.h"

#include "base/map.h"
#include "base/mem.h"

#include <string.h>

/* --- output --- */

static void out(jctx *c, const jstr *s)
{
    if (s->len > c->max_output - c->out.len)
        j_fail(c, "the rendered text is longer than %zu bytes", c->max_output);
    j_charge(c, s->len / 64);
    strbuf_add(&c->out, s->p, s->len);
    if (c->out.failed)
        j_fail(c, "out of memory");
}

jval eval_captured(jctx *c, size_t mark)
{
    jval v = c->out.len > mark ? j_text(c, c->out.data + mark, c->out.len - mark) : j_lit(c, "");
    c->out.len = mark;
    return v;
}

/* --- scopes --- */

jscope *eval_scope(jctx *c, jscope *parent)
{
    jscope *s = j_alloc(c, 1, sizeof *s);
    *s = (jscope){.parent = parent};
    return s;
}

void eval_set(jctx *c, jscope *s, const jstr *name, jval v)
{
    j_charge(c, s->n / 16);
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].name == name) {
            s->v[i].value = v;
            return;
        }
    if (s->n == s->cap)
        s->v = j_grow(c, s->v, s->n, &s->cap, sizeof *s->v);
    s->v[s->n++] = (jslot){name, v};
}

static void assign(jctx *c, jscope *s, const jnode *target, jval v);

static void unpack(jctx *c, jscope *s, const jnode *target, jval v)
{
    jiter *it = j_iter(c, v);
    for (size_t i = 0; i < target->kids.n; i++) {
        jval item = j_next(c, it);
        if (item.kind == J_MISSING)
            j_fail(c, "not enough values to unpack (expected %zu, got %zu)", target->kids.n, i);
        assign(c, s, target->kids.v[i], item);
    }
    if (j_next(c, it).kind != J_MISSING)
        j_fail(c, "too many values to unpack (expected %zu)", target->kids.n);
}

static void assign(jctx *c, jscope *s, const jnode *target, jval v)
{
    if (target->kind == N_NAME) {
        eval_set(c, s, target->value.s, v);
    } else if (target->kind == N_NSREF) {
        jval ns = eval_name(c, s, target->value.s);
        if (ns.kind != J_NAMESPACE)
            j_fail(c, "cannot assign attribute on non-namespace object");
        j_put(c, ns.dict, target->b->value, v);
    } else {
        unpack(c, s, target, v);
    }
}

/* --- statements --- */

static flow run_text(jctx *c, jscope *s, const jnode *n)
{
    (void)s;
    out(c, n->value.s);
    return FLOW_ON;
}

static flow run_print(jctx *c, jscope *s, const jnode *n)
{
    if (n->a)
        out(c, j_str(c, eval(c, s, n->a)));
    for (size_t i = 0; i < n->kids.n; i++)
        out(c, j_str(c, eval(c, s, n->kids.v[i])));
    return FLOW_ON;
}

static flow run_set(jctx *c, jscope *s, const jnode *n)
{
    assign(c, s, n->a, eval(c, s, n->b));
    return FLOW_ON;
}

/* Runs a body in a scope of its own; its text becomes a value, unless it was left by break or continue. */
static flow capture(jctx *c, jscope *s, const jbody *body, jscope **inner, jval *text)
{
    size_t mark = c->out.len;
    *inner = eval_scope(c, s);
    flow f = eval_body(c, *inner, body);
    *text = eval_captured(c, mark);
    return f;
}

static flow run_capture(jctx *c, jscope *s, const jnode *n)
{
    jscope *inner;
    jval v;
    flow f = capture(c, s, &n->kids, &inner, &v);
    if (f == FLOW_ON)
        assign(c, s, n->a, n->b ? eval_filter_of(c, inner, n->b, v) : v);
    return f;
}

static flow run_filter_block(jctx *c, jscope *s, const jnode *n)
{
    jscope *inner;
    jval v;
    flow f = capture(c, s, &n->kids, &inner, &v);
    if (f == FLOW_ON)
        out(c, j_str(c, eval_filter_of(c, inner, n->a, v)));
    return f;
}

static flow run_if(jctx *c, jscope *s, const jnode *n)
{
    for (; n; n = n->c) {
        c->line = n->line;
        if (j_truth(c, eval(c, s, n->a)))
            return eval_body(c, s, &n->kids);
        if (!n->c && n->more.n)
            return eval_body(c, s, &n->more);
    }
    return FLOW_ON;
}

/* --- for --- */

typedef struct loop_filter {
    const jnode *node;
    jscope *scope;
} loop_filter;

/* The items of a loop that pass its `if`. */
static jval next_filtered(jctx *c, jiter *it)
{
    const loop_filter *f = it->data;
    for (jval v; (v = j_next(c, it->inner)).kind != J_MISSING;) {
        f->scope->n = 0;
        assign(c, f->scope, f->node->a, v);
        if (j_truth(c, eval(c, f->scope, f->node->c)))
            return v;
    }
    return j_missing();
}

/* The loop over `items`, at the given depth of recursion. */
static flow run_loop(jctx *c, jscope *s, const jnode *n, jval items, int64_t depth0)
{
    jiter *it = j_iter(c, items);
    if (n->c) {
        loop_filter *f = j_alloc(c, 1, sizeof *f);
        *f = (loop_filter){n, eval_scope(c, s)};
        jiter *inner = it;
        items = j_generator(c, "generator", next_filtered, items, f);
        it = items.iter;
        it->inner = inner;
    }
    jloop *loop = j_loop_new(c, items, it);
    loop->depth0 = depth0;
    loop->node = n;
    loop->scope = s;
    jscope *scope = eval_scope(c, s);
    bool any = false;
    for (jval v; (v = j_loop_next(c, loop)).kind != J_MISSING;) {
        any = true;
        scope->n = 0;
        eval_set(c, scope, c->loop_name, (jval){.kind = J_LOOP, .loop = loop});
        assign(c, scope, n->a, v);
        if (eval_body(c, scope, &n->kids) == FLOW_BREAK)
            break;
    }
    if (!any && n->more.n)
        return eval_body(c, eval_scope(c, s), &n->more);
    return FLOW_ON;
}

static flow run_for(jctx *c, jscope *s, const jnode *n) { return run_loop(c, s, n, eval(c, s, n->b), 0); }

jval j_call_loop(jctx *c, jloop *l, jval items)
{
    if (!l->node->flag)
        j_fail(c, "the loop must have the 'recursive' marker to be called recursively");
    size_t mark = c->out.len;
    run_loop(c, l->scope, l->node, items, l->depth0 + 1);
    return eval_captured(c, mark);
}

/* --- scopes and macros --- */

static flow run_with(jctx *c, jscope *s, const jnode *n)
{
    jscope *inner = eval_scope(c, s);
    for (size_t i = 0; i + 1 < n->more.n; i += 2)
        assign(c, inner, n->more.v[i], eval(c, s, n->more.v[i + 1]));
    return eval_body(c, inner, &n->kids);
}

static flow run_scope(jctx *c, jscope *s, const jnode *n)
{
    return eval_body(c, eval_scope(c, n->flag ? c->root : s), &n->kids);
}

static jval make_macro(jctx *c, jscope *s, const jnode *n, const jstr *name)
{
    jmacro *m = j_alloc(c, 1, sizeof *m);
    *m = (jmacro){.node = n,
                  .scope = s,
                  .name = name,
                  .wants_caller = n->flag & USES_CALLER,
                  .wants_varargs = n->flag & USES_VARARGS,
                  .wants_kwargs = n->flag & USES_KWARGS};
    return (jval){.kind = J_MACRO, .macro = m};
}

static flow run_macro(jctx *c, jscope *s, const jnode *n)
{
    eval_set(c, s, n->value.s, make_macro(c, s, n, n->value.s));
    return FLOW_ON;
}

static flow run_call_block(jctx *c, jscope *s, const jnode *n)
{
    jval caller = make_macro(c, s, n->b, NULL);
    out(c, j_str(c, eval_call(c, s, n->a, &(jkeyword){n->b->value.s, caller})));
    return FLOW_ON;
}

static flow run_break(jctx *c, jscope *s, const jnode *n)
{
    (void)c;
    (void)s;
    return n->kind == N_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
}

flow eval_body(jctx *c, jscope *s, const jbody *body)
{
    static flow (*const runs[])(jctx *, jscope *, const jnode *) = {
        [N_TEXT] = run_text,
        [N_PRINT] = run_print,
        [N_SET] = run_set,
        [N_CAPTURE] = run_capture,
        [N_IF] = run_if,
        [N_FOR] = run_for,
        [N_WITH] = run_with,
        [N_MACRO] = run_macro,
        [N_CALLBLOCK] = run_call_block,
        [N_SCOPE] = run_scope,
        [N_FILTERBLOCK] = run_filter_block,
        [N_GENERATION] = run_scope,
        [N_BREAK] = run_break,
        [N_CONTINUE] = run_break,
    };
    flow f = FLOW_ON;
    j_enter(c);
    for (size_t i = 0; i < body->n && f == FLOW_ON; i++) {
        const jnode *n = body->v[i];
        c->line = n->line;
        j_charge(c, 1);
        f = runs[n->kind](c, s, n);
    }
    j_leave(c);
    return f;
}

void j_run(jctx *c, const jbody *body)
{
    c->root = eval_scope(c, NULL);
    eval_body(c, c->root, body);
}
