/* The parser of statements: tokens to a tree. Expressions are in jinja_parse_expr.c.
 *
 * Recursive descent over the token array. Names are interned, so that the evaluator compares pointers. What
 * can be known now is settled now: unknown filters and tests (an error at once, but inside `if` only when
 * reached), whether a macro's body mentions caller, varargs or kwargs, and that break and continue stand in a
 * loop. */
#include "text/jinja_parse.h"

#include "base/map.h"

#include <string.h>
#include <utf8proc.h>

_Noreturn static void unexpected(parser *p, const char *wanted)
{
    const jtoken *t = p->t;
    p->c->line = t->line;
    switch (t->kind) {
    case T_EOF:
        j_fail(p->c, "the template ends where %s is expected", wanted);
    case T_BLOCK_END:
    case T_PRINT_END:
        j_fail(p->c, "the tag ends where %s is expected", wanted);
    default:
        j_fail(p->c, "%s is expected, found \"%.*s\"", wanted, (int)(t->n > 40 ? 40 : t->n), t->p);
    }
}

void parse_unexpected(parser *p, const char *wanted) { unexpected(p, wanted); }

bool parse_is(const parser *p, const char *name)
{
    return p->t->kind == T_NAME && p->t->n == strlen(name) && memcmp(p->t->p, name, p->t->n) == 0;
}

bool parse_skip(parser *p, const char *name)
{
    if (!parse_is(p, name))
        return false;
    p->t++;
    return true;
}

bool parse_op(const parser *p, uint16_t op) { return p->t->kind == T_OP && p->t->op == op; }

bool parse_skip_op(parser *p, uint16_t op)
{
    if (!parse_op(p, op))
        return false;
    p->t++;
    return true;
}

void parse_want_op(parser *p, uint16_t op)
{
    const char what[] = {'"', (char)(op & 255), op >> 8 ? (char)(op >> 8) : '"', op >> 8 ? '"' : 0, 0};
    if (!parse_skip_op(p, op))
        unexpected(p, what);
}

jnode *parse_node(parser *p, jnode_kind kind)
{
    jnode *n = j_alloc(p->c, 1, sizeof *n);
    *n = (jnode){.kind = (uint8_t)kind, .line = p->t->line, .value = j_none()};
    return n;
}

void parse_add(parser *p, jlistbuf *list, jnode *n)
{
    if (list->n == list->cap)
        list->v = j_grow(p->c, list->v, list->n, &list->cap, sizeof *list->v);
    list->v[list->n++] = n;
}

jval parse_intern(parser *p, const char *s, size_t n)
{
    uint64_t old;
    if (map_get(p->names, s, n, &old))
        return (jval){.kind = J_STR, .s = (const jstr *)(uintptr_t)old};
    jval v = j_text(p->c, s, n);
    if (map_put(p->names, v.s->p, n, (uintptr_t)v.s))
        j_fail(p->c, "out of memory");
    return v;
}

/* The name token's text. Python wants an identifier, which begins with a letter. */
jval parse_name(parser *p)
{
    if (p->t->kind != T_NAME)
        unexpected(p, "a name");
    utf8proc_int32_t ch = 0;
    utf8proc_iterate((const utf8proc_uint8_t *)p->t->p, (utf8proc_ssize_t)p->t->n, &ch);
    utf8proc_category_t cat = utf8proc_category(ch);
    bool mark = cat == UTF8PROC_CATEGORY_MN || cat == UTF8PROC_CATEGORY_MC || cat == UTF8PROC_CATEGORY_ND ||
                cat == UTF8PROC_CATEGORY_NO || (cat == UTF8PROC_CATEGORY_PC && ch != '_');
    if (mark)
        unexpected(p, "an identifier");
    jval v = parse_intern(p, p->t->p, p->t->n);
    p->t++;
    return v;
}

/* --- bodies --- */

static jnode *statement(parser *p);

static bool at_end_tag(const parser *p, const char *const *ends)
{
    for (; ends && *ends; ends++)
        if (parse_is(p, *ends))
            return true;
    return false;
}

/* Statements up to one of the end tags, which stays the current token, or to the end of the template. */
static jbody statements(parser *p, const char *const *ends)
{
    jlistbuf list = {0};
    j_enter(p->c);
    for (; p->t->kind != T_EOF;) {
        jtoken_kind kind = p->t->kind;
        jnode *n;
        if (kind == T_TEXT) {
            n = parse_node(p, N_TEXT);
            n->value = p->t++->value;
        } else if (kind == T_PRINT_BEGIN) {
            n = parse_node(p, N_PRINT);
            p->t++;
            n->a = parse_tuple(p, TUPLE_COND, NULL);
            if (p->t->kind != T_PRINT_END)
                unexpected(p, "the end of the print statement");
            p->t++;
        } else {
            p->t++;
            if (at_end_tag(p, ends))
                break;
            n = statement(p);
            if (p->t->kind != T_BLOCK_END)
                unexpected(p, "the end of the tag");
            p->t++;
        }
        parse_add(p, &list, n);
    }
    if (ends && p->t->kind == T_EOF) {
        while (ends[1])
            ends++;
        j_fail(p->c, "the template ends inside of a block: \"%s\" is missing", *ends);
    }
    j_leave(p->c);
    return (jbody){list.v, list.n};
}

/* The rest of an opening tag, and its body. */
static jbody block(parser *p, const char *const *ends)
{
    parse_skip_op(p, OP1(':'));
    if (p->t->kind != T_BLOCK_END)
        unexpected(p, "the end of the tag");
    p->t++;
    return statements(p, ends);
}

/* A body that ends with `end` only, which is skipped. A scope of its own ends the leniency of `if`. */
static jbody scoped_block(parser *p, const char *end)
{
    const char *const ends[] = {end, NULL};
    bool soft = p->soft;
    p->soft = false;
    jbody b = block(p, ends);
    p->soft = soft;
    p->t++;
    return b;
}

/* --- targets --- */

static void mark_target(parser *p, jnode *n)
{
    if (n->kind == N_TUPLE) {
        for (size_t i = 0; i < n->kids.n; i++)
            mark_target(p, n->kids.v[i]);
        return;
    }
    if (n->kind != N_NAME) {
        p->c->line = n->line;
        j_fail(p->c, "this cannot be assigned to");
    }
    if (p->for_depth && n->value.s->len == 4 && memcmp(n->value.s->p, "loop", 4) == 0)
        j_fail(p->c, "the variable \"loop\" cannot be set inside of a loop");
}

static jnode *target(parser *p, const char *end)
{
    jnode *n = parse_tuple(p, TUPLE_SIMPLE, end);
    mark_target(p, n);
    return n;
}

static jnode *set_target(parser *p)
{
    if (p->t->kind != T_NAME || p->t[1].kind != T_OP || p->t[1].op != '.')
        return target(p, NULL);
    jnode *n = parse_node(p, N_NSREF);
    n->value = parse_name(p);
    p->t++;
    n->b = parse_node(p, N_CONST);
    n->b->value = parse_name(p);
    return n;
}

/* --- one statement each; the tag's name is skipped already --- */

static jnode *parse_set(parser *p)
{
    jnode *n = parse_node(p, N_SET);
    n->a = set_target(p);
    if (parse_skip_op(p, '=')) {
        n->b = parse_tuple(p, TUPLE_COND, NULL);
        return n;
    }
    n->kind = N_CAPTURE;
    n->b = parse_filters(p, NULL, false);
    n->kids = scoped_block(p, "endset");
    return n;
}

static jnode *parse_if(parser *p)
{
    static const char *const ends[] = {"elif", "else", "endif", NULL}, *const last[] = {"endif", NULL};
    jnode *first = parse_node(p, N_IF), *n = first;
    bool soft = p->soft;
    p->soft = true;
    for (;;) {
        n->a = parse_tuple(p, TUPLE_PLAIN, NULL);
        n->kids = block(p, ends);
        if (!parse_skip(p, "elif"))
            break;
        n->c = parse_node(p, N_IF); /* a chain, walked by a loop: its length is not depth */
        n = n->c;
    }
    if (parse_skip(p, "else"))
        n->more = block(p, last);
    p->t++;
    p->soft = soft;
    return first;
}

static jnode *parse_for(parser *p)
{
    static const char *const ends[] = {"endfor", "else", NULL};
    jnode *n = parse_node(p, N_FOR);
    bool soft = p->soft;
    p->soft = false;
    p->for_depth++;
    n->a = target(p, "in");
    if (!parse_skip(p, "in"))
        unexpected(p, "\"in\"");
    p->soft = soft;
    n->b = parse_tuple(p, TUPLE_PLAIN, "recursive");
    p->soft = false;
    if (parse_skip(p, "if"))
        n->c = parse_expression(p);
    n->flag = parse_skip(p, "recursive");
    p->in_loop++;
    n->kids = block(p, ends);
    p->in_loop--;
    bool has_else = parse_is(p, "else");
    p->t++;
    if (has_else)
        n->more = scoped_block(p, "endfor");
    p->for_depth--;
    p->soft = soft;
    return n;
}

static jnode *parse_with(parser *p)
{
    jnode *n = parse_node(p, N_WITH);
    jlistbuf list = {0};
    while (p->t->kind != T_BLOCK_END) {
        if (list.n)
            parse_want_op(p, ',');
        parse_add(p, &list, target(p, NULL));
        parse_want_op(p, '=');
        parse_add(p, &list, parse_expression(p));
    }
    n->more = (jbody){list.v, list.n};
    n->kids = scoped_block(p, "endwith");
    return n;
}

/* "(a, b=1)" as N_PARAM nodes. */
static jbody signature(parser *p)
{
    jlistbuf list = {0};
    bool defaults = false;
    parse_want_op(p, '(');
    while (!parse_op(p, ')')) {
        if (list.n)
            parse_want_op(p, ',');
        jnode *n = parse_node(p, N_PARAM);
        n->value = parse_name(p);
        j_charge(p->c, list.n / 8);
        for (size_t i = 0; i < list.n; i++)
            if (list.v[i]->value.s == n->value.s)
                j_fail(p->c, "the parameter \"%.*s\" is there twice", (int)n->value.s->len, n->value.s->p);
        if (parse_skip_op(p, '='))
            n->a = parse_expression(p);
        else if (defaults)
            j_fail(p->c, "a parameter without a default follows one that has a default");
        defaults = n->a != NULL;
        parse_add(p, &list, n);
    }
    p->t++;
    return (jbody){list.v, list.n};
}

/* Which of caller, varargs and kwargs the tokens of a body mention, without those that are parameters. */
static uint8_t uses(const parser *p, const jtoken *from, const jbody *params)
{
    static const char *const names[] = {"caller", "varargs", "kwargs"};
    uint8_t flags = 0;
    for (const jtoken *t = from; t < p->t; t++)
        for (unsigned k = 0; k < 3; k++)
            if (t->kind == T_NAME && t->n == strlen(names[k]) && memcmp(t->p, names[k], t->n) == 0 &&
                !(t > from && t[-1].kind == T_OP && t[-1].op == '.') &&
                !(t[1].kind == T_OP && t[1].op == '='))
                flags |= (uint8_t)(1u << k);
    for (size_t i = 0; i < params->n; i++)
        for (unsigned k = 0; k < 3; k++) {
            const jstr *s = params->v[i]->value.s;
            if (s->len == strlen(names[k]) && memcmp(s->p, names[k], s->len) == 0)
                flags &= (uint8_t) ~(1u << k);
        }
    return flags;
}

static void macro_body(parser *p, jnode *n, const char *end)
{
    int in_loop = p->in_loop;
    const jtoken *from = p->t;
    p->in_loop = 0;
    n->kids = scoped_block(p, end);
    j_charge(p->c, (size_t)(p->t - from) / 16);
    n->flag = uses(p, from, &n->more);
    p->in_loop = in_loop;
}

static jnode *parse_macro(parser *p)
{
    jnode *n = parse_node(p, N_MACRO);
    n->value = parse_name(p);
    n->more = signature(p);
    macro_body(p, n, "endmacro");
    return n;
}

static jnode *parse_call_block(parser *p)
{
    jnode *n = parse_node(p, N_CALLBLOCK);
    n->b = parse_node(p, N_MACRO);
    n->b->value = parse_intern(p, "caller", 6);
    if (parse_op(p, '('))
        n->b->more = signature(p);
    n->a = parse_expression(p);
    if (n->a->kind != N_CALL)
        j_fail(p->c, "a call block needs a call");
    macro_body(p, n->b, "endcall");
    return n;
}

static jnode *parse_filter_block(parser *p)
{
    jnode *n = parse_node(p, N_FILTERBLOCK);
    n->a = parse_filters(p, NULL, true);
    n->kids = scoped_block(p, "endfilter");
    return n;
}

static jnode *parse_block(parser *p)
{
    jnode *n = parse_node(p, N_SCOPE);
    jval name = parse_name(p);
    n->flag = !parse_skip(p, "scoped");
    int in_loop = p->in_loop;
    p->in_loop = 0;
    n->kids = scoped_block(p, "endblock");
    p->in_loop = in_loop;
    if (p->t->kind == T_NAME && p->t->n == name.s->len && memcmp(p->t->p, name.s->p, p->t->n) == 0)
        p->t++;
    return n;
}

static jnode *parse_print(parser *p)
{
    jnode *n = parse_node(p, N_PRINT);
    jlistbuf list = {0};
    while (p->t->kind != T_BLOCK_END) {
        if (list.n)
            parse_want_op(p, ',');
        parse_add(p, &list, parse_expression(p));
    }
    n->kids = (jbody){list.v, list.n};
    return n;
}

static jnode *parse_generation(parser *p)
{
    jnode *n = parse_node(p, N_GENERATION);
    int in_loop = p->in_loop;
    p->in_loop = 0;
    n->kids = scoped_block(p, "endgeneration");
    p->in_loop = in_loop;
    return n;
}

static jnode *parse_jump(parser *p, jnode_kind kind)
{
    if (!p->in_loop)
        j_fail(p->c, "%s outside of a loop", kind == N_BREAK ? "break" : "continue");
    return parse_node(p, kind);
}
static jnode *parse_break(parser *p) { return parse_jump(p, N_BREAK); }
static jnode *parse_continue(parser *p) { return parse_jump(p, N_CONTINUE); }

static jnode *parse_autoescape(parser *p)
{
    jnode *n = parse_node(p, N_SCOPE), *on = parse_expression(p);
    if (on->kind != N_CONST || on->value.kind != J_BOOL || on->value.i)
        j_fail(p->c, "only autoescape false is supported in chat templates");
    n->kids = scoped_block(p, "endautoescape");
    return n;
}

_Noreturn static jnode *refuse(parser *p)
{
    j_fail(p->c, "the tag \"%.*s\" is not supported in chat templates", (int)p->t[-1].n, p->t[-1].p);
}

static const struct {
    const char *name;
    jnode *(*parse)(parser *p);
} tags[] = {
    {"set", parse_set},
    {"if", parse_if},
    {"for", parse_for},
    {"macro", parse_macro},
    {"call", parse_call_block},
    {"filter", parse_filter_block},
    {"with", parse_with},
    {"break", parse_break},
    {"continue", parse_continue},
    {"generation", parse_generation},
    {"print", parse_print},
    {"block", parse_block},
    {"include", refuse},
    {"import", refuse},
    {"from", refuse},
    {"extends", refuse},
    {"autoescape", parse_autoescape},
};

static jnode *statement(parser *p)
{
    if (p->t->kind != T_NAME)
        unexpected(p, "a tag's name");
    p->c->line = p->t->line;
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (parse_skip(p, tags[i].name))
            return tags[i].parse(p);
    j_fail(p->c, "unknown tag \"%.*s\"", (int)(p->t->n > 40 ? 40 : p->t->n), p->t->p);
}

jbody j_parse(jctx *c, const jtoken *tokens, map *names)
{
    parser p = {.c = c, .t = tokens, .names = names};
    jbody b = statements(&p, NULL);
    if (p.unknown) {
        c->line = p.unknown->line;
        j_unknown(c, p.unknown);
    }
    return b;
}
